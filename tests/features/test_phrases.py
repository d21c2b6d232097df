"""The index of phrases against a slow one, and how words are divided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.manifest import VOCABULARY
from nbkit.features.phrases import PHRASES, phrases_of
from nbkit.features.spelling import spelling_of
from nbkit.features.table import features_of
from nbkit.features.words import Words, normalized, words_of
from nbkit.files import write_table
from nbkit.models import LanguageModel
from tests.examples.tiny_models import VOCABULARY as CHARACTERS
from tests.examples.tiny_models import random_contexts

TEXTS = [
    "<s>",
    " the",
    " Bank",
    "s",
    "'t",
    "'",
    ",",
    " ",
    "\n",
    " bank",
    "ING",
    "-",
    "7",
    "\u202e",
    " don",
    "’s",
    " of",
]


def example_words(contexts: list[list[str]]) -> tuple[Words, list[list[str]]]:
    """The words of contexts that are given token by token; and as text."""
    raw_texts = {2 * number: text for number, text in enumerate(TEXTS)}
    tokens = np.array([[2 * TEXTS.index(token) for token in context] for context in contexts])
    words = words_of(
        spelling_of(cast(Atlas, SimpleNamespace(raw_texts=raw_texts, tokens=tokens)), np.arange(len(tokens)))
    )
    numbers = [dict.fromkeys(row) for row in words.number.tolist()]
    return words, [[words.strings[words.text[number]] for number in row] for row in numbers]


def test_words_end_at_spaces_and_punctuation() -> None:
    words, found = example_words(
        [
            ["<s>", " the", " Bank", "s", ",", " don", "'t", " bank", "-", "ING"],
            [" ", " ", "\n", "s", "'", " Bank", "’s", "7", "\u202e", "7"],
        ],
    )
    assert found == [
        ["<s>", "the", "banks", ",", "don't", "bank", "-", "ing"],
        ["␣", "␣", "↵", "s", "'", "bank’s7", "⟨U+202E⟩", "7"],
    ]
    spaced = [number for number, space in enumerate(words.spaced) if space]
    assert spaced == [1, 2, 4, 5, 8, 9, 10, 11, 13]
    assert words.before.tolist() == [-1, 0, 1, 2, 3, 4, 5, 6, -1, -1, -1, -1, 11, 12, 13, 14]
    assert words.after.tolist() == [1, 2, 3, 4, 5, 6, 7, -1, -1, -1, -1, 12, 13, 14, 15, -1]


def test_texts_that_read_alike_are_one() -> None:
    assert normalized("  The\n\tBANK\ufeff ") == "the bank"
    assert normalized(" \n") == ""
    assert normalized("a\x00\u202eb") == "a␀⟨U+202E⟩b"


def slow_index(atlas: Atlas) -> dict[tuple[str, int], int]:
    """Phrase by phrase, written from the docstrings, for a tokenizer whose tokens are characters."""
    features = features_of(atlas, progress=False)
    counts: dict[tuple[str, int], int] = defaultdict(int)
    texts = pd.read_parquet(atlas.path / VOCABULARY).set_index("id")["text"]
    feature = 0
    for layer in atlas.layers:
        for neuron in atlas.iterate(layer):
            clusters = neuron.clusters()
            for label, size in enumerate(clusters.sizes):
                assert features["size"][feature] == size
                single: dict[str, int] = defaultdict(int)
                several: dict[str, int] = defaultdict(int)
                for example in np.flatnonzero(clusters.labels == label):
                    pieces = [texts[i] for i in atlas.tokens[neuron.context[example]]]
                    one, more = slow_phrases(pieces, int(neuron.position[example]))
                    for phrase in one:
                        single[phrase] += 1
                    for phrase in more:
                        several[phrase] += 1
                for phrase, n in single.items():
                    if n >= 2 or size < 4:
                        counts[phrase, feature] = max(n, counts[phrase, feature])
                for phrase, n in several.items():
                    if n >= 2:
                        counts[phrase, feature] = max(n, counts[phrase, feature])
                feature += 1
    return dict(counts)


def slow_phrases(pieces: list[str], position: int) -> tuple[set[str], set[str]]:
    """The phrases of one example: of one word, and of several."""
    words: list[list[int]] = []
    for i, piece in enumerate(pieces):
        apostrophe = len(piece) > 1 and piece[0] in "'’" and piece[1].isalnum()
        if i and pieces[i - 1][-1].isalnum() and (piece[0].isalnum() or apostrophe):
            words[-1].append(i)
        else:
            words.append([i])
    texts = ["".join(pieces[i] for i in word) for word in words]
    at = next(number for number, word in enumerate(words) if position in word)
    shown = [number for number, text in enumerate(texts) if text.strip()]
    single = {shown_as(pieces[position]), shown_as(texts[at])}
    if at not in shown:
        return single, set()
    place = shown.index(at)
    runs = [shown[place - 1 : place + 1], shown[place : place + 2], shown[place - 2 : place + 1] if place >= 2 else []]
    several = set()
    for run, n in zip(runs, (2, 2, 3), strict=True):
        if len(run) == n:
            span = "".join(texts[run[0] : run[-1] + 1])
            several.add(" ".join(span.lower().split()))
    return single, several


def shown_as(text: str) -> str:
    """As `normalized`, for ASCII."""
    return text.strip().lower() or text.replace("\n", "↵").strip() or "␣"


@pytest.fixture
def few_letters(tmp_path: Path, tiny_model: Callable[[str], LanguageModel]) -> Atlas:
    """An atlas over text of few different characters, so that much of it is repeated."""
    contexts = random_contexts(60, 32)
    letters = [CHARACTERS.index(char) for char in "aB' \n-"]
    tokens = np.random.default_rng(5).choice(letters, size=contexts.tokens.shape, p=[0.4, 0.1, 0.04, 0.4, 0.03, 0.03])
    tokens[:, 0] = contexts.tokens[:, 0]
    contexts = replace(contexts, tokens=tokens.astype(np.int32))
    atlas = build_atlas(tiny_model("llama"), contexts, tmp_path / "atlas", progress=False)
    table = pd.read_parquet(atlas.path / VOCABULARY)
    glued = [CHARACTERS[i] for i in table["id"]]  # the tiny tokenizer puts a space before every character
    written = [text.encode() for text in glued]
    write_table(table.assign(text=glued, bytes=written), atlas.path / VOCABULARY)
    return Atlas(atlas.path, atlas.manifest)


def test_the_index_is_that_of_a_slow_loop(few_letters: Atlas) -> None:
    table = phrases_of(few_letters, progress=False)
    found = {(phrase, feature): count for phrase, feature, count in table.itertuples(index=False)}
    assert len(found) == len(table)
    assert found == slow_index(few_letters)
    assert {phrase.count(" ") for phrase, _ in found} == {0, 1, 2}


def test_the_index_is_in_order_and_made_once(few_letters: Atlas) -> None:
    table = phrases_of(few_letters, progress=False)
    assert table["phrase"].tolist() == sorted(table["phrase"])
    size = features_of(few_letters, progress=False)["size"].to_numpy()
    share = pd.Series(table["count"] ** 2 / size[table["feature"]])
    assert all(of_phrase.is_monotonic_decreasing for _, of_phrase in share.groupby(table["phrase"]))
    before = (few_letters.path / PHRASES).stat().st_mtime_ns
    assert phrases_of(few_letters, progress=False).equals(table)
    assert (few_letters.path / PHRASES).stat().st_mtime_ns == before
