"""American spelling in all that the repository says: pages, code, tests, styles and settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KINDS = {".py", ".ipynb", ".md", ".js", ".css", ".yaml", ".yml", ".toml", ".cff", ".html"}
BRITISH = re.compile(
    r"\b("
    r"(behavi|col|fav|flav|harb|hon|hum|lab|neighb|rum|vig)our\w*"
    r"|(cent|fib|lit|theat|calib|spect)res?|cent(red|ring)"
    r"|\w*(label|model|travel|cancel|signal|channel|level|total|marvel)l(ed|ing|er)"
    r"|(analy|paraly|cataly)s(e|ed|ing)"
    r"|\w*(recogni|organi|initiali|normali|optimi|summari|visuali|regulari|generali|standardi|minimi|maximi|emphasi"
    r"|categori|tokeni|quanti|randomi|characteri|parametri|utili|speciali)s(e|ed|es|er|ing|ation)"
    r"|grey\w*|whilst|amongst|towards|afterwards|licence\w*|defence|offence|programmes?|catalogues?|judgements?"
    r"|per cent|artefacts?|ageing|skilful\w*|fulfil|practis\w+|sceptic\w*|moulds?"
    r")\b",
    re.IGNORECASE,
)
ALLOWED = (
    "`rare-behaviours.html`",  # the old address of a page, in the changelog
    '"towards another',  # a part of the name of kept tables, which stay valid
)


def british_in(text: str) -> list[str]:
    """The words of a text that are spelled the British way."""
    for allowed in ALLOWED:
        text = text.replace(allowed, "")
    return [found[0] for found in BRITISH.finditer(text)]


def files() -> Iterator[Path]:
    """All that is read; this file names the words."""
    for folder in ("nbkit", "book", "tests"):
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in KINDS and path != Path(__file__))
    yield from (path for path in ROOT.iterdir() if path.suffix in KINDS)


def test_spelling_is_american() -> None:
    found = {str(path.relative_to(ROOT)): british_in(path.read_text(encoding="utf-8")) for path in files()}
    assert {path: words for path, words in found.items() if words} == {}


@pytest.mark.parametrize("word", ["behaviours", "colour", "centred", "labelled", "Normalised", "towards", "per cent"])
def test_british_spelling_is_seen(word: str) -> None:
    assert british_in(f"an {word} example") == [word]


def test_american_spelling_and_words_that_are_alike_are_none() -> None:
    assert british_in("behavior color centered labeled normalized toward percent analysis promise size four hour") == []
