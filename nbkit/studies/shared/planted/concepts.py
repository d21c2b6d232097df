"""Concepts of tokens that somebody else than the model has labeled, by kind."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from nbkit.studies.shared.planted.token_reads import TokenReads
from nbkit.studies.shared.planted.word_classes import WORD_CLASSES

Concepts = Mapping[str, Bool[np.ndarray, " n"]]
"""By name, which of the tokens are of each concept."""

PARTS_OF_SPEECH: Mapping[str, tuple[str, ...]] = {
    "noun": ("nn",),
    "plural noun": ("nns",),
    "proper noun": ("np", "nps"),
    "verb": ("vb",),
    "past tense": ("vbd",),
    "past participle": ("vbn",),
    "-ing form": ("vbg",),
    "third person": ("vbz",),
    "adjective": ("jj",),
    "comparative": ("jjr", "rbr"),
    "adverb": ("rb",),
    "preposition": ("in",),
    "subordinating conjunction": ("cs",),
    "coordinating conjunction": ("cc",),
    "determiner": ("at", "dt", "dti", "dts"),
    "personal pronoun": ("pps", "ppss", "ppo"),
    "possessive pronoun": ("pp$",),
    "modal verb": ("md",),
    "form of to be": ("be", "bez", "bedz", "ber", "bed", "ben", "bem"),
    "form of to have": ("hv", "hvd", "hvz", "hvg"),
    "cardinal number": ("cd",),
    "wh-word": ("wdt", "wps", "wrb", "wpo", "wp$"),
}
"""Brown's tags of each."""


def concepts_of(reads: TokenReads) -> dict[str, Concepts]:
    """The concepts of a layer's tokens, by kind: `word class`, `part of speech`, `genre` (of the document), `quotation`
    (inside quotes, parentheses, a heading or a title) and `position` in the sentence. All but genres are of tokens that
    are a word."""
    labeled = reads.labeled
    has_word = reads.of(labeled.has_word)
    lower = np.array([word.lower() for word in reads.of(labeled.word)])
    tag, genre = reads.of(labeled.tag).astype(str), reads.of(labeled.genre).astype(str)
    place, left = reads.of(labeled.place), reads.of(labeled.left)
    return {
        "word class": {name: np.isin(lower, list(words)) for name, words in WORD_CLASSES.items()},
        "part of speech": {name: np.isin(tag, tags) for name, tags in PARTS_OF_SPEECH.items()},
        "genre": {name: genre == name for name in dict.fromkeys(genre.tolist())},
        "quotation": {
            "in quotes": reads.of(labeled.quoted),
            "in parentheses": reads.of(labeled.in_parentheses),
            "in a heading": reads.of(labeled.in_heading),
            "in a title": reads.of(labeled.in_title),
        },
        "position": {
            "first word": has_word & (place == 0),
            "second word": has_word & (place == 1),
            "third word": has_word & (place == 2),
            "last word": has_word & (left == 0),
        },
    }
