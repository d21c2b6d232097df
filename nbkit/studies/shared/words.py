"""Ways to fill a page's own words with what a run has found; the words themselves stand in the notebook."""

from __future__ import annotations

import re
from collections.abc import Iterable


def when(condition: object, text: str, otherwise: str = "") -> str:
    """A text that is there only under a condition."""
    return text if condition else otherwise


def each(records: Iterable[object], text: str, between: str = "\n") -> str:
    """A text once for each record, on lines of their own unless told else; `{r.mean:.1f}` in it stands for a field."""
    return between.join(text.format(r=record) for record in records)


def listed(names: Iterable[str], otherwise: str = "none") -> str:
    """Names in a sentence: `a, b, c`."""
    return ", ".join(names) or otherwise


def counted(number: int, noun: str) -> str:
    """A number of things: `1 seed`, `2 seeds`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def code(name: object) -> str:
    """A name as Markdown's code, whatever characters are in it: it neither ends the code nor the line."""
    text = " ".join(str(name).split())
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest or not text else ""
    return f"{fence}{space}{text}{space}{fence}"
