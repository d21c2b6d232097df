"""An extension of Sphinx, for the page of a package's public names: annotations as the source has them, names as links.

The package is named in `_config.yml`, as `api_package`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import is_dataclass
from functools import cached_property
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

if TYPE_CHECKING:
    from types import ModuleType

    from sphinx.application import Sphinx

API_PAGE = "api"
IN_DOCSTRINGS = re.compile(r"""(?<![`:\w])`([^`]+)`(?![`_])|(?<![\w=`])("[^"\n]+")|(\|)""")
"""What is in backticks, a quoted value, a bar."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, since `_config.yml` names this module."""
    app.add_config_value("api_package", None, "env", str)
    app.connect("env-before-read-docs", _prepare)
    app.connect("autodoc-process-signature", _without_fields)
    app.connect("autodoc-process-docstring", _mark_up, priority=400)  # before napoleon reads the sections
    return {"parallel_read_safe": True}


def _package(app: Sphinx) -> ModuleType:
    return importlib.import_module(app.config.api_package)


def _prepare(app: Sphinx, _env: object, pages: Sequence[str]) -> None:
    if API_PAGE in pages:
        package = _package(app)
        for name in package.__all__:
            annotate_as_written(getattr(package, name))


def annotate_as_written(thing: Any) -> None:
    """Make the annotations of a function or class, methods included, print as they stand in its source.

    Evaluated ones print as `Float[ndarray, 'n d']`, with the paths of private modules, or not at all where a name is
    imported for types alone. An alias of a `Literal` prints as its choices.
    """
    source = dedent(inspect.getsource(thing))
    [node] = ast.parse(source).body
    module = sys.modules[thing.__module__]
    if isinstance(node, ast.FunctionDef):
        _annotate_function(thing, node, source, module)
    elif isinstance(node, ast.ClassDef):
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef):
                _annotate_function(vars(thing)[statement.name], statement, source, module)
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                thing.__annotations__[statement.target.id] = _written(statement.annotation, source, module)


def _annotate_function(function: Any, node: ast.FunctionDef, source: str, module: object) -> None:
    match function:
        case property():
            function = function.fget
        case cached_property():
            function = function.func
        case classmethod() | staticmethod():
            function = function.__func__
    given = {each.arg: each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg)}
    for name, annotation in {**given, "return": node.returns}.items():
        if annotation is not None:
            function.__annotations__[name] = _written(annotation, source, module)


def _written(annotation: ast.expr, source: str, module: object) -> type:
    """A type that Sphinx prints as the source of an annotation."""
    text = " ".join((ast.get_source_segment(source, annotation) or "").split()).strip('"').replace('" ', '"')
    alias = getattr(module, text, None)
    if get_origin(alias) is Literal:
        text = f"Literal[{', '.join(map(repr, get_args(alias)))}]"
    return type(text, (), {"__module__": "builtins"})


def _without_fields(_app: Sphinx, _what: str, _name: str, thing: object, *_: object) -> tuple[str, str] | None:
    """A record's fields follow one by one, with a line each: its signature does not repeat them."""
    is_record = inspect.isclass(thing) and (is_dataclass(thing) or issubclass(thing, tuple))
    return ("", "") if is_record else None


def _mark_up(app: Sphinx, what: str, _name: str, _thing: object, _options: object, lines: list[str]) -> None:
    lines[:] = as_markup("\n".join(lines), _package(app)).split("\n")
    if what in ("attribute", "property"):
        lines[:0] = ["..", ""]  # an empty comment: napoleon takes a first line's words before a colon for a type


def as_markup(docstring: str, package: ModuleType) -> str:
    """A docstring, written for a tooltip, as Sphinx must have it: public names are links, values are code."""
    return IN_DOCSTRINGS.sub(lambda found: _clear(found, package), docstring)


def _clear(found: re.Match[str], package: ModuleType) -> str:
    quoted, bar = found[2], found[3]
    if bar:
        return r"\|"  # |w| is no name to be substituted
    if quoted:
        return f"``{quoted}``"  # with straight quotes, to be copied
    name = found[1].removeprefix(f"{package.__name__}.")
    first, _, member = name.partition(".")
    is_public = first in package.__all__ and (not member or _has(getattr(package, first), member))
    return f":py:obj:`{found[1]} <{package.__name__}.{name}>`" if is_public else f"``{found[1]}``"


def _has(thing: Any, member: str) -> bool:
    return member in vars(thing) or member in thing.__annotations__
