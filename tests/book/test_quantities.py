"""Quantities are read back from executed notebooks, and those that disagree are found."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from nbkit.studies.shared.quantity import Quantity
from tests.book.quantities import disagreements, on_several_pages, quantities_of


def page(folder: Path, name: str, **outputs: str) -> Path:
    """A notebook of one cell, whose output has a text of each kind."""
    data = {f"text/{kind}": text for kind, text in outputs.items()}
    cell = new_code_cell("", outputs=[new_output("display_data", data)])
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=[cell]), path)
    return path


def test_pages_are_compared_by_name_and_whole_value(tmp_path: Path) -> None:
    several, dead = Quantity('share, with "several"', 0.25), Quantity("dead", 1.4)
    first = page(tmp_path, "first", markdown=f"{several:.1%} and {dead:.1f}")
    second = page(tmp_path, "second", html=f"<td>{Quantity(several.name, 0.2501):.1%}</td>", plain=f"{dead:.1f}")
    found = quantities_of([first, second])
    assert disagreements(found) == {several.name: {"0.25": {"first"}, "0.2501": {"second"}}}
    assert on_several_pages(found) == {several.name}, "plain text is on no page"


def test_pages_that_agree_have_no_disagreements(tmp_path: Path) -> None:
    pages = [page(tmp_path, name, markdown=f"{Quantity('dead', 1.4):.0f}") for name in ("first", "second")]
    assert disagreements(quantities_of(pages)) == {} and on_several_pages(quantities_of(pages)) == {"dead"}
