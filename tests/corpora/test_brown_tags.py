"""Tagged words of Brown found in its text: hand-made texts with known answers, then a part of the corpus."""

from __future__ import annotations

import numpy as np
import pytest

from nbkit import assets
from nbkit.corpora.brown import N_TEXTS, brown_files, detokenize
from nbkit.corpora.brown_tags import GENRES, TaggedText, TaggedWord, tagged_text

RAW = """

	The/at City/nn-tl of/in-tl Rome/np-tl (/( it/pps 's/bez old/jj )/) said/vbd ``/`` They/ppss don't/do* run/vb ''/''
A/at run/nn ./.


	Rules/nns-hl
``/`` Go/vb ./.


	No/at quote/nn here/rb :/: 1/8''/nn ''/'' .../. and/cc fw/fw-nn-nc"""


def words(text: TaggedText) -> dict[str, TaggedWord]:
    return {word.word: word for word in text.words}


def test_each_word_stands_where_it_is_said_to() -> None:
    found = tagged_text(RAW, "news")
    assert found.text == detokenize(RAW)
    assert found.genre == "news"
    assert [found.text[word.start : word.end] for word in found.words] == [word.word for word in found.words]
    starts = [word.start for word in found.words]
    assert starts == sorted(set(starts))
    assert [word.word for word in found.words][:5] == ["The", "City", "of", "Rome", "it"]
    first, second = (word for word in found.words if word.word == "run")
    assert (first.tag, second.tag) == ("vb", "nn")
    assert found.text[: second.start].endswith("A ")


def test_what_is_said_of_a_word() -> None:
    found = words(tagged_text(RAW))
    assert {name for name, word in found.items() if word.in_parentheses} == {"it", "'s", "old"}
    assert {name for name, word in found.items() if word.in_heading} == {"Rules"}
    assert {name for name, word in found.items() if word.in_title} == {"City", "of", "Rome"}
    assert [found[name].tag for name in ("City", "Rules", "don't", "fw")] == ["nn", "nns", "do*", "fw-nn"]
    assert [(found[name].place, found[name].left) for name in ("The", "City", "A")] == [(0, 10), (1, 9), (0, 1)]


def test_a_quotation_is_open_from_quote_to_quote() -> None:
    quoted = [word.word for word in tagged_text(RAW).words if word.quoted]
    assert quoted == ["They", "don't", "run", "Go"], "and a paragraph closes what was left open"
    torn = "It/pps reads/vbz :/: ``/``\n\n\n\tStop/vb ./.\n\n''/'' \nHe/pps went/vbd ./."
    assert [word.word for word in tagged_text(torn).words if word.quoted] == ["Stop"]


@pytest.mark.parametrize(
    ("raw", "found", "lost"),
    [
        ("a/at rise/nn of/in 32*0C./nn at/in noon/nn", ["a", "rise", "of", "at", "noon"], 1),
        ("5/cd m**ym/nns m/nn of/in **ymg/nn", ["5", "m", "of"], 2),
        ("he/pps saw/vbd he/pps", ["he", "saw", "he"], 0),
        ("counts/nns //in minute/nn", ["counts", "minute"], 0),
    ],
)
def test_a_word_that_is_set_otherwise_is_lost_and_no_other(raw: str, found: list[str], lost: int) -> None:
    text = tagged_text(raw)
    assert ([word.word for word in text.words], text.lost) == (found, lost)
    assert all(text.text[word.start : word.end] == word.word for word in text.words)


def test_a_part_of_a_word_is_not_taken_for_it() -> None:
    text = tagged_text("x**yacat/nn cat/nn cattle/nn cat/nn")
    assert text.text == "xαcat cat cattle cat"
    assert [word.start for word in text.words] == [6, 10, 17]


def test_nearly_every_word_of_the_corpus_is_found() -> None:
    files = brown_files(assets.fetch("brown"))
    assert len(files) == N_TEXTS
    texts = [tagged_text(raw, GENRES[name[1]]) for name, raw in list(files.items())[::40]]
    assert [text.genre for text in texts][:3] == ["news", "news", "reviews"]
    n = sum(len(text.words) for text in texts)
    assert n > 25_000
    assert sum(text.lost for text in texts) < 0.001 * n
    for text in texts:
        assert all(text.text[word.start : word.end] == word.word for word in text.words)
    tags = [word.tag for text in texts for word in text.words if word.word == "the"]
    assert np.mean([tag == "at" for tag in tags]) > 0.99
