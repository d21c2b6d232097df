"""The page of the public names: that it has all of them, and that they can be read there."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from jaxtyping import Float

import nbkit
from nbkit.book.api_page import annotate_as_written, as_markup

BOOK = Path(__file__).parents[2] / "book"
Side = Literal["left", "right"]


def test_the_page_has_every_public_name_once() -> None:
    text = (BOOK / "api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\.\. auto(?:function|class|exception):: nbkit\.(\w+)$", text, re.MULTILINE)) == (
        nbkit.__all__
    )
    listed = re.findall(r"^   (\w+)$", text, re.MULTILINE)
    assert set(nbkit.__all__) - set(listed) == {"NbkitError", "explore", "write_site"}, "alone in their parts"


def same(function: Any) -> Any:
    """A decorator as `torch.no_grad` is one."""

    @wraps(function)
    def wrapped(*given: Any) -> Any:
        return function(*given)

    return wrapped


@dataclass(frozen=True)
class Example:
    """A class as those of the page are."""

    vectors: Float[np.ndarray, " n"]
    side: Side = "left"

    @cached_property
    def mean(self) -> float:
        return 0.0

    @property
    def parts(self) -> tuple[Path, ...]:
        return ()

    @classmethod
    def make(cls, *names: str, **rest: Unknown) -> Example:  # type: ignore[name-defined]
        raise NotImplementedError

    @same
    def turn(self, by: Float[np.ndarray, "n d"] | None = None, side: Side = "left") -> None: ...


def test_annotations_read_as_in_the_source() -> None:
    annotate_as_written(Example)
    written = {name: each.__qualname__ for name, each in Example.__annotations__.items()}
    assert written == {"vectors": 'Float[np.ndarray, "n"]', "side": "Literal['left', 'right']"}
    signatures = {name: str(inspect.signature(getattr(Example, name))) for name in ("make", "turn")}
    assert signatures == {
        "make": "(*names: str, **rest: Unknown) -> Example",
        "turn": "(self, by: Float[np.ndarray, \"n d\"] | None = None, side: Literal['left', 'right'] = 'left') -> None",
    }
    assert str(inspect.signature(vars(Example)["parts"].fget)) == "(self) -> tuple[Path, ...]"
    assert str(inspect.signature(vars(Example)["mean"].func)) == "(self) -> float"


@pytest.mark.parametrize(
    ("docstring", "markup"),
    [
        ("see `load_model`", "see :py:obj:`load_model <nbkit.load_model>`"),
        ("`nbkit.Atlas.neuron`", ":py:obj:`nbkit.Atlas.neuron <nbkit.Atlas.neuron>`"),
        ("`FeatureClusters.labels` and `labels`", ":py:obj:`FeatureClusters.labels <nbkit.FeatureClusters.labels>`"
         " and ``labels``"),
        ("`Atlas.nothing`", "``Atlas.nothing``"),
        ("``code`` and `f(x=\"y\")`", "``code`` and ``f(x=\"y\")``"),
        ('"scc" or "<|end|>"', '``"scc"`` or ``"<|end|>"``'),
        ("|h * w|^2", r"\|h * w\|^2"),
    ],
)  # fmt: skip
def test_docstrings_are_made_clear(docstring: str, markup: str) -> None:
    assert as_markup(docstring, nbkit) == markup


MENTION = re.compile(r"(?<![}`\w])`(?:nbkit\.)?(\w+)(?:\.\w+)*(?:\([^`\n]*\))?`(?!`)(\]\(api\.html#nbkit\.\w+\))?")


def plain_names(text: str) -> set[str]:
    """The public names that a text mentions as code and not as a link."""
    return {found[1] for found in MENTION.finditer(text) if not found[2]} & set(nbkit.__all__)


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.ipynb")), ids=lambda path: path.stem)
def test_pages_link_the_public_names(path: Path) -> None:
    """In their Markdown, and in the sentences that their cells make, where a link is the address."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    assert plain_names("\n".join(sources)) == set()


@pytest.mark.parametrize(
    "text", ["`nbkit.explore(atlas)`", "`explore(signs.both)`", '`AtlasConfig(embedding="paper")`', "`Atlas.neuron`"]
)
def test_plain_names_are_seen(text: str) -> None:
    assert plain_names(f"as in {text}.")


def test_linked_and_other_names_are_no_plain_ones() -> None:
    linked = "{py:func}`nbkit.explore(both) <nbkit.explore>`, [`AtlasConfig(k=1)`](api.html#nbkit.AtlasConfig)"
    assert plain_names(f"{linked}, `latents`, `nbkit.studies.x`") == set()
