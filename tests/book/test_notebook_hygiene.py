"""What every notebook of the book looks like in git: no outputs, one parameters cell, code that only calls."""

from __future__ import annotations

import ast
import re
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from nbkit.atlas.cached import atlas_for
from nbkit.cli.options import AtlasOptions
from nbkit.corpora import load_contexts

BOOK = Path(__file__).parents[2] / "book"
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
assert NOTEBOOKS, f"no notebook in {BOOK}"
PROFILES = sorted({"quick", "default", "paper"} | {path.stem for path in (BOOK / "profiles").glob("*.yaml")})

# Whatever is not here (def, for, if, with, lambda, comprehensions, operators …) is logic and belongs in nbkit.
# Operators are left out on purpose: a number that a page needs is a result, with a name, of a tested function.
ALLOWED_SYNTAX = (
    ast.Module,
    ast.Import,
    ast.ImportFrom,
    ast.alias,
    ast.Assign,
    ast.AnnAssign,
    ast.Expr,
    ast.Call,
    ast.keyword,
    ast.Starred,
    ast.Attribute,
    ast.Subscript,
    ast.Slice,
    ast.Name,
    ast.Constant,
    ast.UnaryOp,  # -1
    ast.USub,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.expr_context,
)

MOST_STEPS = 4
LONGER = {"ground-truth": {"run", "cut-measured"}}
"""Cells that take more steps than that, by their ids: a list that may only shrink."""


def logic_in(source: str) -> list[str]:
    """Return a line for each piece of logic in a code cell."""
    nodes = ast.walk(ast.parse(source))
    return [
        f"line {getattr(node, 'lineno', '?')}: {type(node).__name__}"
        for node in nodes
        if not isinstance(node, ALLOWED_SYNTAX)
    ]


def steps_in(source: str) -> int:
    """How many things a code cell computes or shows. Imports and the parts of a sentence are none; two names that are
    set in one line are two.

    Raises:
        ValueError: it shows something before its last line.
    """
    steps = 0
    body = ast.parse(source).body
    for number, statement in enumerate(body, start=1):
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Assign(value=ast.Constant(value=str()) | ast.JoinedStr()):
                continue
            case ast.Expr() if number < len(body):
                raise ValueError(f"line {statement.lineno} shows something, and more follows")
        value = getattr(statement, "value", None)
        steps += len(value.elts) if isinstance(value, ast.Tuple) else 1
    return steps


def parameters_in(source: str) -> dict[str, Any]:
    """Return the names and values that a parameters cell sets; each must be a plain value, as papermill reads it."""
    found: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = ast.literal_eval(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = ast.literal_eval(value)
            case _:
                raise ValueError(f"malformed parameter: line {statement.lineno} is not `name = value`")
    return found


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def parameters_of(path: Path) -> dict[str, Any]:
    [cell] = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
    return parameters_in(cell.source)


def read_profile(name: str) -> dict[str, dict[str, Any]]:
    content = yaml.safe_load((BOOK / "profiles" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(content, dict) and set(content) <= {"atlas", "latents", "sae", "notebooks"}
    return content


every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@every_notebook
def test_format(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5), "cells have ids from format 4.5 on"
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))
    assert notebook.metadata.kernelspec.name == "python3"


@every_notebook
def test_nothing_that_a_run_leaves_behind(path: Path) -> None:
    notebook = read(path)
    for cell in code_cells(path):
        assert cell.outputs == []
        assert cell.execution_count is None
        assert "execution" not in cell.metadata and "papermill" not in cell.metadata
    assert "widgets" not in notebook.metadata and "papermill" not in notebook.metadata


@every_notebook
def test_one_parameters_cell_of_plain_values(path: Path) -> None:
    tagged = [cell for cell in read(path).cells if "parameters" in cell.metadata.get("tags", [])]
    assert [cell.cell_type for cell in tagged] == ["code"]
    assert parameters_of(path)


@every_notebook
def test_code_cells_only_call(path: Path) -> None:
    cells = enumerate(code_cells(path), start=1)
    found = [f"code cell {number}, {logic}" for number, cell in cells for logic in logic_in(cell.source)]
    assert found == [], "logic belongs in nbkit, where it is tested"


@every_notebook
def test_a_code_cell_does_one_thing(path: Path) -> None:
    """It sets the parameters, computes what belongs together, shows a figure, or says a sentence."""
    cells = [cell for cell in code_cells(path) if "parameters" not in cell.metadata.get("tags", [])]
    assert {cell.id for cell in cells if steps_in(cell.source) > MOST_STEPS} == LONGER.get(path.stem, set())


@every_notebook
def test_sentences_link_pages_by_their_files(path: Path) -> None:
    """What a cell gives out is plain Markdown to Sphinx: it makes no address of a page's name."""
    pages = {f"{page.stem}.html" for page in NOTEBOOKS} | {"api.html"}
    for cell in code_cells(path):
        links = re.findall(r"\]\(([^)\s]+)\)", cell.source)
        assert {link.partition("#")[0] for link in links if not link.startswith(("#", "http"))} <= pages


@every_notebook
def test_words_and_the_badge_show_and_what_makes_them_does_not(path: Path) -> None:
    for cell in code_cells(path):
        shown_alone = "Markdown(" in cell.source or "provenance(" in cell.source
        assert shown_alone == ("remove-input" in cell.metadata.get("tags", [])), cell.source


@every_notebook
def test_a_page_begins_with_what_it_shows(path: Path) -> None:
    """A title and a sentence or two; what it is computed with, which the built page folds away; the badge; a result."""
    title, *cells = read(path).cells
    heading, _, lead = title.source.partition("\n\n")
    assert heading.startswith("# ") and "\n" not in heading and not re.search("^#", lead, re.MULTILINE)
    assert 1 <= len(re.findall(r"[.?!](?=\s|$)", lead.split("<div", 1)[0])) <= 2, lead
    badges = [place for place, cell in enumerate(cells) if "provenance(" in cell.source]
    assert len(badges) == 1, "one badge a page"
    assert {cell.cell_type for cell in cells[: badges[0] + 2]} == {"code"}
    result = ast.parse(cells[badges[0] + 1].source).body[-1]
    assert isinstance(result, ast.Expr), "the first cell behind the badge shows something"


@every_notebook
def test_headings_are_in_order(path: Path) -> None:
    text = "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    levels = [len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"(?s)```.*?```", "", text), re.MULTILINE)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(deeper <= level + 1 for level, deeper in pairwise(levels))


@pytest.mark.parametrize("name", PROFILES)
def test_profile_sets_only_parameters_that_exist(name: str) -> None:
    profile = read_profile(name)
    known = {path.stem: set(parameters_of(path)) for path in NOTEBOOKS}
    # the shared ones go to the notebooks that have them (nbkit.book.build)
    for shared in (profile["atlas"], profile["sae"]):
        assert shared and set(shared) <= set().union(*known.values())
    own = profile.get("notebooks") or {}
    assert set(own) <= set(known)
    for stem, parameters in own.items():
        assert set(parameters) <= known[stem], stem


@pytest.mark.parametrize(
    "source",
    [
        "def f(): pass",
        "class A: pass",
        "for i in x: f(i)",
        "while True: f()",
        "if x: f()",
        "try:\n    f()\nfinally:\n    g()",
        "with f() as x: g(x)",
        "f(lambda x: x)",
        "[f(x) for x in y]",
        "f(x for x in y)",
        "f(x) if y else g(x)",
        "x = y or z",
        "x = y - z",
        "x += 1",
        "assert x",
        "del x",
        "(x := f())",
        "await f()",
        'Markdown(f"{found.a - found.b:.3f}")',
        'Markdown(f"{found.a if found else 0}")',
    ],
)
def test_logic_is_seen(source: str) -> None:
    assert logic_in(source)


def test_calls_are_no_logic() -> None:
    source = """
import nbkit
from nbkit import figures
atlas = nbkit.open_atlas(path)
neuron = atlas.neuron(3, index=-1)
rows = {"first": atlas.neurons[:10], "names": [f"neuron {index}"]}
figures.dendrogram(neuron, *rows, **options)
neuron;
Markdown(
    f'''
- **Said** of {found.n:,} neurons, {100:.{digits}f}% {verdicts[found.verdict]}{when(found.more, f" and {found.more}")}.
{each(found.rows, "- *{r.name}*: {r.share:.1%}")}
'''
)
"""
    assert logic_in(source) == []


@pytest.mark.parametrize(
    ("source", "steps"),
    [
        ("import nbkit\nfrom nbkit import figures", 0),
        ("a = f()\nb, c = g(a), h(a)\nshow(b)", 4),
        ("word = 'some'\nmore = f' and {word}'\nMarkdown(more)", 1),
        ("figures.dendrogram(neuron)", 1),
    ],
)
def test_steps_are_counted(source: str, steps: int) -> None:
    assert steps_in(source) == steps


def test_what_is_shown_comes_last() -> None:
    with pytest.raises(ValueError, match="line 1 shows"):
        steps_in("show(a)\nb = f()")


def test_parameters_are_plain_values() -> None:
    assert parameters_in('model = "gpt2"  # any hub id\nlayers: list[int] = [0, -1]\nlimit = None') == {
        "model": "gpt2",
        "layers": [0, -1],
        "limit": None,
    }
    for source in ("import os", "x = f()", "x, y = 1, 2", "x: int"):
        with pytest.raises(ValueError, match="malformed"):
            parameters_in(source)


def test_one_default_atlas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`atlas_for()`, the notebooks as they are in git and the profile `default` ask for the same one."""
    folders: list[Path] = []
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("nbkit.models.load_model", lambda *_, **__: None)
    monkeypatch.setattr("nbkit.corpora.load_contexts", lambda *_, **__: None)
    monkeypatch.setattr("nbkit.atlas.one_pass.AtlasPlan.build", lambda plan: folders.append(plan.folder))
    names = set(signature(atlas_for).parameters)
    asked = [parameters_of(path) for path in NOTEBOOKS]
    asked = [{}, read_profile("default")["atlas"], *(each for each in asked if "corpus" in each)]
    for parameters in asked:
        atlas_for(**{name: value for name, value in parameters.items() if name in names})
    assert len(folders) > 2 and len(set(folders)) == 1


@every_notebook
def test_an_atlas_that_is_there_can_be_opened_instead(path: Path) -> None:
    """In one way: a parameter that is None in git, handed to the one call that finds the atlas."""
    calls = [cell.source for cell in code_cells(path) if "atlas_for(" in cell.source]
    assert len(calls) == ("corpus" in parameters_of(path))
    for source in calls:
        assert parameters_of(path)["atlas"] is None
        assert "    atlas=atlas,\n" in source
    assert not [cell for cell in code_cells(path) if "open_atlas(" in cell.source]


def test_the_command_line_and_python_read_as_much() -> None:
    defaults = [
        signature(function).parameters["limit"].default for function in (load_contexts, atlas_for, AtlasOptions)
    ]
    assert defaults == [read_profile("default")["atlas"]["limit"]] * 3
