"""The files around the code agree with each other."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import nbkit

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = (("linux", "Linux"), ("darwin", "Darwin"))
NO_PYTHON_OF_OURS = "3.14"
MEGABYTE = 1_000_000


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins() -> dict[str, Version]:
    requirements = [Requirement(line) for line in text_of("constraints.txt").splitlines() if not line.startswith("#")]
    for requirement in requirements:
        assert re.fullmatch(r"==[^*,+]+", str(requirement.specifier)), f"{requirement} is no exact, public version"
        assert requirement.marker is None, f"{requirement}: one version for all machines"
    names = [canonicalize_name(requirement.name) for requirement in requirements]
    assert names == sorted(set(names))
    versions = (Version(str(requirement.specifier)[2:]) for requirement in requirements)
    return dict(zip(names, versions, strict=True))


def project() -> Any:
    return tomllib.loads(text_of("pyproject.toml"))["project"]


def direct_requirements() -> list[Requirement]:
    extras = project()["optional-dependencies"]
    assert set(extras) == {"cluster", "dev"}, "the Makefile and environment.yml install [dev]"
    assert set(extras["cluster"]) < set(extras["dev"])
    return [Requirement(line) for line in (*project()["dependencies"], *extras["dev"])]


def machines(extras: set[str]) -> Iterator[dict[str, str]]:
    """Yield the marker variables of each machine we support, once without an extra and once with each."""
    for python in PYTHONS:
        for sys_platform, platform_system in PLATFORMS:
            for extra in {"", *extras}:
                yield {
                    "python_version": python,
                    "python_full_version": f"{python}.0",
                    "sys_platform": sys_platform,
                    "platform_system": platform_system,
                    "extra": extra,
                }


def required_anywhere() -> dict[str, list[Requirement]]:
    """Return all that an installation needs on any machine we support, as far as this machine knows the packages."""
    found: dict[str, list[Requirement]] = {}
    todo, done = direct_requirements(), set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        found.setdefault(name, []).append(requirement)
        if (name, frozenset(requirement.extras)) in done:
            continue
        done.add((name, frozenset(requirement.extras)))
        try:
            needed = [Requirement(line) for line in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:
            continue  # needed elsewhere only, as appnope is on macOS
        if name == "torch":  # CUDA packages, which it pins itself
            needed = [other for other in needed if not other.name.startswith(("cuda-", "nvidia-", "triton"))]
        todo += [
            other
            for other in needed
            if other.marker is None or any(other.marker.evaluate(machine) for machine in machines(requirement.extras))
        ]
    return found


def test_the_hooks_before_a_commit_use_the_pinned_ruff() -> None:
    repositories = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
    [ruff] = [each for each in repositories if each["repo"].endswith("/ruff-pre-commit")]
    assert ruff["rev"] == f"v{pins()['ruff']}"
    assert [hook["id"] for hook in ruff["hooks"]] == ["ruff-check", "ruff-format"]


def test_the_changelog_and_the_package_name_this_version() -> None:
    version = project()["version"]
    assert nbkit.__version__ == version
    headings = re.findall(r"^## \[(.+?)\]", text_of("CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[:2] == ["Unreleased", version]


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    pinned = pins()
    for name, requirements in required_anywhere().items():
        assert name in pinned, f"constraints.txt has no {requirements[0]}"
        for requirement in requirements:
            assert requirement.specifier.contains(pinned[name], prereleases=True), f"{requirement}: {pinned[name]}"


def test_direct_dependencies_name_the_oldest_release_they_work_with() -> None:
    for requirement in direct_requirements():
        assert any(bound.operator == ">=" for bound in requirement.specifier), requirement


def imported_packages(folder: str) -> set[str]:
    """Return the distributions that the modules of a folder import, ours and Python's own left out."""
    roots = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                roots.add(node.module.split(".")[0])
    providers = metadata.packages_distributions()
    third_party = roots - set(sys.stdlib_module_names) - {"nbkit", "tests"}
    return {canonicalize_name(providers[root][0]) for root in third_party}


@pytest.mark.parametrize(("folder", "extras"), [("nbkit", ("cluster",)), ("tests", ("dev",))])
def test_what_is_imported_is_a_direct_dependency(folder: str, extras: tuple[str, ...]) -> None:
    lines = [
        *project()["dependencies"],
        *(line for each in extras for line in project()["optional-dependencies"][each]),
    ]
    named = {canonicalize_name(Requirement(line).name) for line in lines}
    assert imported_packages(folder) - named == set()


def test_the_environment_has_the_pinned_versions() -> None:
    pinned = pins()
    installed = {canonicalize_name(each.name): Version(each.version) for each in metadata.distributions()}
    wrong = {
        name: f"{version}, not {pinned[name]}"
        for name, version in installed.items()
        if name in pinned and version.public != pinned[name].public
    }
    assert wrong == {}


def test_python_range_is_the_same_everywhere() -> None:
    supported = SpecifierSet(project()["requires-python"])
    assert all(python in supported for python in PYTHONS) and NO_PYTHON_OF_OURS not in supported
    classified = {line.rsplit(" ", 1)[1] for line in project()["classifiers"] if line.startswith("Programming")}
    assert classified == set(PYTHONS)
    assert "(3, 11) <= sys.version_info[:2] < (3, 14)" in text_of("Makefile")
    tools = tomllib.loads(text_of("pyproject.toml"))["tool"]
    assert tools["mypy"]["python_version"] == PYTHONS[0]
    assert tools["ruff"]["target-version"] == "py" + PYTHONS[0].replace(".", "")
    [conda_python] = [line for line in conda_requirements() if str(line).startswith("python=")]
    assert conda_python.removeprefix("python=") in PYTHONS


def conda_requirements() -> list[Any]:
    requirements: list[Any] = yaml.safe_load(text_of("environment.yml"))["dependencies"]
    return requirements


def test_conda_and_make_install_the_same() -> None:
    conda = conda_requirements()
    [by_pip] = [each["pip"] for each in conda if isinstance(each, dict)]
    assert by_pip == ["-c constraints.txt", "-e .[dev]"]
    assert {str(each).split("=")[0] for each in conda if isinstance(each, str)} == {"python", "pip"}, (
        "what conda itself installed would not have the pinned version"
    )
    assert "pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'" in text_of("Makefile")


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make as from a shell, whatever make these tests themselves run under."""
    inherited = {"MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "PROFILE", "PYTHON"}
    environment = {name: value for name, value in os.environ.items() if name not in inherited}
    return subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def planned(*arguments: str) -> str:
    """Return the commands that make would run for these arguments if nothing were there yet."""
    done = make("--dry-run", "--always-make", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("book",), "nbkit book --profile default"),
        (("book", "PROFILE=quick"), "nbkit book --profile quick"),
        (("book", "PROFILE=paper"), "nbkit book --profile paper"),
        (("lab",), "jupyter lab book"),
        (("bench",), "python -m tests.benchmark"),
        (("test",), "python -m pytest"),
    ],
)
def test_make_brings_the_environment_before_it_runs(arguments: tuple[str, ...], expected: str) -> None:
    commands = planned(*arguments)
    assert 0 < commands.find("pip install") < commands.find(expected)


def test_make_test_is_format_lint_types_and_tests_and_ci_calls_it() -> None:
    commands = planned("test")
    places = [commands.find(each) for each in ("ruff format --check .", "ruff check .", "mypy", "pytest")]
    assert -1 not in places and places == sorted(places)
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    assert run.read_text(encoding="utf-8").splitlines()[-1] == "make test"


@pytest.mark.parametrize("failing", ["", "ruff", "mypy", "python"])
def test_make_test_fails_with_any_of_its_tools(failing: str, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text(text_of(name), encoding="utf-8")
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    for tool in ("ruff", "mypy", "python"):
        # make asks python -c whether it is one that can be used
        text = f'#!/bin/sh\n[ "$1" = -c ] && exit 0\necho "ran {tool}"\nexit {int(tool == failing)}\n'
        (tools / tool).write_text(text, encoding="utf-8")
        (tools / tool).chmod(0o755)
    (tools.parent / ".up-to-date").touch()
    done = make("test", folder=tmp_path)
    assert (done.returncode == 0) == (not failing), done.stderr
    ran = set(re.findall(r"ran (\w+)", done.stdout))
    assert ran == ({"ruff"} if failing == "ruff" else {"ruff", "mypy", "python"}), "types and tests beside each other"


def test_make_clean_removes_what_the_others_made() -> None:
    commands = planned("clean")
    assert all(folder in commands for folder in (".venv", "_build"))


def test_make_without_a_suitable_python_says_what_to_do(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text(text_of(name), encoding="utf-8")
    done = make("book", "PYTHON=false", folder=tmp_path)
    assert done.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr and "make PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_guides_name_what_exists() -> None:
    guides = text_of("README.md") + text_of("CONTRIBUTING.md")
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), flags=re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", guides, flags=re.MULTILINE))
    assert {"book", "test", "lab", "bench"} <= named <= targets
    files = set(re.findall(r"\bbook/[\w/-]+\.(?:ipynb|png|svg)", guides))
    assert files and all((ROOT / name).is_file() for name in files), files
    assert "<!--" not in guides, "a place is left to be filled in"


def tracked(*options: str) -> list[Path]:
    """Return the files that git tracks, also where the clone belongs to another user than the one who tests."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", *options]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def test_no_large_or_generated_file_is_tracked() -> None:
    files = tracked()
    assert ROOT / "pyproject.toml" in files
    assert [path for path in files if path.exists() and path.stat().st_size > MEGABYTE] == []
    assert tracked("--cached", "--ignored", "--exclude-standard") == []


def test_license_is_the_one_that_the_metadata_names() -> None:
    assert text_of("LICENSE").startswith("MIT License\n")
    assert project()["license"] == "MIT"
    assert yaml.safe_load(text_of("CITATION.cff"))["license"] == "MIT"


def test_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation), "required by the format"
    assert str(citation["version"]) == project()["version"]
    [paper] = citation["references"]
    assert paper["title"] == "Tackling Polysemanticity with Neuron Embeddings"
    assert paper["authors"] == [{"family-names": "Foote", "given-names": "Alex"}]
    assert (paper["year"], paper["identifiers"][0]["value"]) == (2024, "arXiv:2411.08166")
