"""The plan of the house, read from its imports: which room may know which, and that no path leads back."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import nbkit

PACKAGE = Path(__file__).parents[1] / "nbkit"
Graph = Mapping[str, set[str]]
House = Callable[[dict[str, str]], dict[str, set[str]]]

MOST_ROOMS = 18
MOST_FLOORS = 9
GROUND = {"errors", "files", "parallel"}
ABOVE_STUDIES = {"book", "cli"}
SHARED = "studies.shared"
NEVER = (
    ("method", "*", {"errors"}),
    ("sae", {"models", "corpora", "units", "atlas", "mnist"}, set()),
    ("models", {"sae", "units"}, set()),
    ("atlas", {"features", "sae", "figures", "explorers"}, set()),
    ("features", {"explorers"}, set()),
    ("figures", {"explorers"}, set()),
    ("mnist", {"explorers"}, set()),
    ("studies", {"explorers"}, set()),
)
"""Room, rooms that it must not import (`*`: all), and the exceptions."""


def imports_of(path: Path, package: Path) -> set[str]:
    """The modules of the package that a file imports, anywhere in it and for types alone too, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            # `from nbkit.assets import cache` may name a module or what a module defines
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if first == package.name and (module := _module_at(rest, package)) is not None:
                found.add(module)
    return found - {_name_of(path, package)}


def _module_at(parts: list[str], package: Path) -> str | None:
    """The longest beginning of a dotted name that is a module or a folder of modules."""
    for n in range(len(parts), 0, -1):
        place = package.joinpath(*parts[:n])
        if place.with_suffix(".py").is_file() or (place / "__init__.py").is_file():
            return ".".join(parts[:n])
    return "__init__"


def _name_of(path: Path, package: Path) -> str:
    inside = path.relative_to(package).with_suffix("")
    return ".".join(inside.parts[:-1] if inside.name == "__init__" and len(inside.parts) > 1 else inside.parts)


def files_of(package: Path) -> dict[str, set[str]]:
    """For each module of a package the modules of it that it imports."""
    return {_name_of(path, package): imports_of(path, package) for path in sorted(package.rglob("*.py"))}


def folders_of(files: Graph, depth: int) -> dict[str, set[str]]:
    """The same of the folders at a depth, what lies higher standing for itself: depth 1 gives the rooms."""

    def folder(module: str) -> str:
        return ".".join(module.split(".")[:depth])

    graph: dict[str, set[str]] = {}
    for module, imported in files.items():
        graph.setdefault(folder(module), set()).update({folder(other) for other in imported} - {folder(module)})
    return graph


def circles_in(graph: Graph) -> list[list[str]]:
    """Groups of nodes that reach each other, each sorted."""
    reached = {node: set(_reached(graph, node)) for node in graph}
    groups = {tuple(sorted({node} | {other for other in reached[node] if node in reached[other]})) for node in graph}
    return sorted(list(group) for group in groups if len(group) > 1)


def _reached(graph: Graph, start: str) -> Iterator[str]:
    todo, seen = list(graph[start]), set()
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            yield node
            todo += graph.get(node, set())


def floors_of(graph: Graph) -> dict[str, int]:
    """For each node of a graph its floor: one above the highest that it imports. Raises CycleError if there is none."""
    floors: dict[str, int] = {}
    for node in TopologicalSorter(graph).static_order():
        floors[node] = 1 + max((floors[other] for other in graph[node]), default=0)
    return floors


def broken_rules(rooms: Graph) -> list[str]:
    """The imports between rooms that must never be."""
    broken = []
    for room, forbidden, allowed in NEVER:
        mine = rooms.get(room, set())
        bad = mine - allowed if forbidden == "*" else mine & forbidden
        broken += [f"{room} -> {other}" for other in sorted(bad)]
    for room, imported in rooms.items():
        broken += [f"{room} -> studies" for _ in imported & {"studies"} if room not in ABOVE_STUDIES]
        broken += [f"{room} -> book" for _ in imported & {"book"} if room != "cli"]
        broken += [f"{room} -> cli" for _ in imported & {"cli"}]
        broken += [f"{room} -> {other}" for other in sorted(imported - GROUND) if room in GROUND]
    return broken


def joined_studies(folders: Graph) -> list[str]:
    """The imports between rooms of studies, which know none but the shared one.

    Args:
        folders: of depth 2.
    """
    return [
        f"{room} -> {other}"
        for room, imported in folders.items()
        for other in sorted(imported - {SHARED})
        if room.startswith("studies.") and other.split(".")[0] == "studies"
    ]


FILES = files_of(PACKAGE)
ROOMS = folders_of(FILES, 1)
DEPTH = max(module.count(".") + 1 for module in FILES)


@pytest.mark.parametrize("depth", range(1, DEPTH + 1))
def test_no_circle_of_files_or_folders(depth: int) -> None:
    assert circles_in(folders_of(FILES, depth)) == []


def test_rooms_and_floors() -> None:
    assert len(ROOMS) <= MOST_ROOMS, sorted(ROOMS)
    floors = floors_of(ROOMS)
    assert max(floors.values()) <= MOST_FLOORS, sorted(floors.items(), key=lambda item: item[1])


def test_no_import_that_must_never_be() -> None:
    assert broken_rules(ROOMS) == []


def test_no_study_imports_another() -> None:
    assert joined_studies(folders_of(FILES, 2)) == []


def constants_of(path: Path) -> set[str]:
    """The names that a file gives to public constants."""
    names = set()
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            named = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
            names.update(name for name in named if name.isupper() and not name.startswith("_"))
    return names


def test_a_constant_has_a_name_of_its_own() -> None:
    homes = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in constants_of(path):
            homes[name].append(path.relative_to(PACKAGE).as_posix())
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


GENERAL = {"__init__", "figures", "findings"}
"""Names that a room of a study may have as the others do."""
TWICE = """
build choice columns config coordinates experiment hub images latents loading merged mlp opening pages published rules
separation spaces table tables training weights words
"""
"""Names that two modules have, each clear in its room: a list that may only shrink."""


def test_a_module_has_a_name_of_its_own() -> None:
    """Or that of its folder, whose main one it is."""
    names = Counter(path.stem for path in PACKAGE.rglob("*.py") if path.stem != path.parent.name)
    assert {name for name, number in names.items() if number > 1} - GENERAL == set(TWICE.split())


def strings_of(path: Path) -> Iterator[tuple[int, str]]:
    """The docstrings of a file, those of attributes too, each with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Expr(value=ast.Constant(value=str() as text)):
                yield node.lineno, text


def test_a_docstring_stands_alone() -> None:
    leaning = ("The same ", "Same ", "As ", "Like ", "Likewise ")
    texts = {path.relative_to(PACKAGE): list(strings_of(path)) for path in sorted(PACKAGE.rglob("*.py"))}
    assert [f"{path}:{line}" for path, found in texts.items() for line, text in found if text.startswith(leaning)] == []


LEANING = re.compile(
    r"(That|Those|Its?|Their|They|There|Whose|Of|On|In which|And|See|(What|Where) each (is|reads|writes)|How it)\b"
    r"|\S+\.$|(\S+ )?\S+'s\.$"  # one word, or a possessive without what is possessed
    r"|What (it is|they are)\b"
)
"""The beginning, or all, of a docstring that says little without what stands around it."""


def members_of(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """The public fields and methods of a class, each with its docstring."""
    for member, behind in zip(node.body, [*node.body[1:], None], strict=True):
        match member, behind:
            case ast.FunctionDef(name=name), _:
                text = ast.get_docstring(member) or ""
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                pass
            case ast.AnnAssign(target=ast.Name(id=name)), _:
                text = ""
            case _:
                continue
        if not name.startswith("_"):
            yield name, text


def definitions_of(name: str, module: str) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """A public function or class, wherever a module has it from; behind a class those of the package that it is made
    from."""
    place = PACKAGE.joinpath(*module.split("."))
    tree = ast.parse((place / "__init__.py" if place.is_dir() else place.with_suffix(".py")).read_text("utf-8"))
    for node in tree.body:
        match node:
            case ast.ClassDef(name=defined) | ast.FunctionDef(name=defined) if defined == name:
                yield node
                for base in node.bases if isinstance(node, ast.ClassDef) else []:
                    if isinstance(base, ast.Name):
                        yield from definitions_of(base.id, module)
            case ast.ImportFrom(module=str(home)) if name in [each.name for each in node.names]:
                first, _, inside = home.partition(".")
                if first == PACKAGE.name:
                    yield from definitions_of(name, inside)


def public_docstrings() -> Iterator[tuple[str, str]]:
    """The public names, the members of public classes, and what these inherit in the package, each with its
    docstring."""
    for public, module in nbkit._HOMES.items():
        nodes = list(definitions_of(public, module))
        assert nodes, public
        for node in nodes:
            yield public, ast.get_docstring(node) or ""
            if isinstance(node, ast.ClassDef):
                yield from ((f"{public}.{name}", text) for name, text in members_of(node))


def test_a_public_name_is_told_in_full() -> None:
    """Nothing on the API page or in a tooltip needs the line above it."""
    texts = list(public_docstrings())
    assert len(texts) > 200
    assert [f"{name}: {text}" for name, text in texts if not text or LEANING.match(text)] == []


@pytest.mark.parametrize(
    "text",
    ["Its folder.", "Latents.", "Of a vector.", "The model's.", "Adam's.", "See `Units.points`.", "That cut, the"],
)
def test_a_leaning_docstring_is_seen(text: str) -> None:
    assert LEANING.match(text)


def mended_in(source: str) -> list[str]:
    """A line for each place where code mends words that are there already (a tag is none) or takes a docstring
    apart."""
    tree = ast.parse(source)
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    handed_on = {id(each) for value in values for each in (value.elts if isinstance(value, ast.Tuple) else [value])}
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="replace" | "sub"), args=[ast.Constant(value=str(text)), *_]):
                if re.search(r"[^\W\d_]", text) and " " in text and "<" not in text:
                    found.append(f"line {node.lineno}: mends {text!r}")
            case ast.Attribute(attr="getdoc" | "get_docstring" | "cleandoc"):
                found.append(f"line {node.lineno}: {node.attr}")
            case ast.Attribute(attr="__doc__", ctx=ast.Load()) if id(node) not in handed_on:
                found.append(f"line {node.lineno}: __doc__")
    return found


def test_words_are_written_once_and_not_mended() -> None:
    """A sentence with two forms is built from its parts; a text that is shown is no docstring's."""
    found = {path.relative_to(PACKAGE).as_posix(): mended_in(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        'rows["seeds"].replace("one MLP for each seed,", "seeds")',
        "f\"{read.replace(' or ', ' to ')}\"",
        're.sub("two of the", "all", text)',
        "inspect.getdoc(f)",
        "first = f.__doc__.split()[0]",
        'shown = f"{f.__doc__}"',
    ],
)
def test_mended_words_are_seen(source: str) -> None:
    assert mended_in(source)


def test_characters_may_be_replaced_and_a_docstring_handed_on() -> None:
    assert mended_in("""name.replace("_", " "); html.replace(" ", ' id="x" '); f.__doc__ = g.__doc__""") == []
    assert mended_in("f.__name__, f.__doc__ = g.__name__, g.__doc__") == []


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Gives what is read of a package of these files."""

    def build(texts: dict[str, str]) -> dict[str, set[str]]:
        package = tmp_path / "nbkit"
        for name, text in ({"__init__.py": ""} | texts).items():
            path = package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(text, encoding="utf-8")
        return files_of(package)

    return build


@pytest.mark.parametrize(
    "text",
    [
        "import nbkit.atlas.scan",
        "from nbkit.atlas import scan",
        "from nbkit.atlas.scan import scan_block",
        "import nbkit.atlas.scan as s",
        "def f():\n    from nbkit.atlas.scan import scan_block",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nbkit.atlas.scan import Block",
    ],
)
def test_an_import_is_seen_wherever_and_however_it_stands(text: str, house: House) -> None:
    assert house({"atlas/scan.py": "", "cli.py": text})["cli"] == {"atlas.scan"}


def test_the_face_of_the_package_is_a_room(house: House) -> None:
    files = house(
        {"__init__.py": "from nbkit.errors import E", "errors.py": "", "cli.py": "import nbkit\nimport torch"}
    )
    assert files == {"__init__": {"errors"}, "errors": set(), "cli": {"__init__"}}


def test_circles_are_seen(house: House) -> None:
    files = house(
        {
            "atlas/scan.py": "import nbkit.atlas.merge",
            "atlas/merge.py": "import nbkit.atlas.levels",
            "atlas/levels.py": "def f():\n    import nbkit.atlas.scan",
            "sae/pairs.py": "import nbkit.files.tensors",
            "files/tensors.py": "",
            "files/tables.py": "import nbkit.sae.loss",
            "sae/loss.py": "",
        }
    )
    assert circles_in(files) == [["atlas.levels", "atlas.merge", "atlas.scan"]]
    assert circles_in(folders_of(files, 1)) == [["files", "sae"]], "of folders, though none of their files"


def test_floors_are_counted_from_the_ground() -> None:
    assert floors_of({"cli": {"book", "errors"}, "book": {"atlas"}, "atlas": {"errors"}, "errors": set()}) == {
        "errors": 1,
        "atlas": 2,
        "book": 3,
        "cli": 4,
    }


@pytest.mark.parametrize(
    ("room", "other"),
    [
        ("method", "files"),
        ("sae", "mnist"),
        ("models", "sae"),
        ("atlas", "features"),
        ("figures", "explorers"),
        ("mnist", "explorers"),
        ("studies", "explorers"),
        ("explorers", "studies"),
        ("__init__", "studies"),
        ("studies", "book"),
        ("book", "cli"),
        ("files", "method"),
    ],
)
def test_what_must_never_be_is_seen(room: str, other: str) -> None:
    assert f"{room} -> {other}" in broken_rules({room: {other}})


@pytest.mark.parametrize(
    ("room", "other"), [("method", "errors"), ("book", "studies"), ("cli", "book"), ("sae", "method")]
)
def test_what_may_be_is_not_refused(room: str, other: str) -> None:
    assert broken_rules({room: {other}}) == []


@pytest.mark.parametrize(
    ("room", "text", "seen"),
    [
        ("dots", "from nbkit.studies.lines.findings import F", ["studies.dots -> studies.lines"]),
        ("dots", "from nbkit.studies import lines", ["studies.dots -> studies.lines"]),
        ("dots", "import nbkit.studies", ["studies.dots -> studies"]),
        (
            "dots",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nbkit.studies.lines.findings import F",
            ["studies.dots -> studies.lines"],
        ),
        ("shared", "from nbkit.studies.lines.findings import F", ["studies.shared -> studies.lines"]),
        ("dots", "from nbkit.studies.shared.findings import F", []),
        ("dots", "from nbkit.studies.dots.figures import F", []),
        ("dots", "from nbkit.atlas.scan import F", []),
    ],
)
def test_a_study_that_imports_another_is_seen(room: str, text: str, seen: list[str], house: House) -> None:
    rooms = {
        f"studies/{name}/{file}.py": "" for name in ("dots", "lines", "shared") for file in ("findings", "figures")
    }
    above = {"studies/__init__.py": "", "atlas/scan.py": "", "book/build.py": "from nbkit.studies import dots, lines"}
    files = house(rooms | above | {f"studies/{room}/__init__.py": text})
    assert joined_studies(folders_of(files, 2)) == seen
