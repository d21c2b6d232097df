"""Which contexts are read: as few as will do for every concept and sense."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
from jaxtyping import Int

from nbkit.method.checks import checked_seed, checked_whole
from nbkit.studies.shared.planted.labeled_contexts import LabeledContexts
from nbkit.studies.shared.planted.senses import sense_words
from nbkit.studies.shared.planted.token_reads import held_out
from nbkit.studies.shared.planted.word_classes import WORD_CLASSES

OF_A_CLASS = 30
"""Contexts that are looked for to hold a word of a class, in either half."""


def choose_contexts(
    labeled: LabeledContexts, n: int = 900, words: int = 12, each: int = 12, seed: int = 0
) -> LabeledContexts:
    """Draw contexts for the units of concepts and senses, as many from the documents that probes are trained on as from
    the others.

    In the order in which they are taken: of the held-out half those that hold the words of `sense_units`; of both those
    that hold words of `WORD_CLASSES`, which are rare, 30 for each class; and any others. So the contexts are a little
    richer in these words than the corpus.

    Args:
        labeled: contexts of whole documents.
        n: how many are drawn, if there are as many.
        words, each: as `sense_units` gets them.
        seed: of the draws, and of the halves.
    """
    rng = np.random.default_rng(checked_seed(seed))
    most = checked_whole("n", n, 2) // 2
    held = held_out(labeled.contexts.documents, seed)
    senses = sense_words(labeled, held, checked_whole("words", words, 1)).values()
    sense_rows = [rng.permutation(places[:, 0])[:each] for two in senses for places in two.values()]
    lower = np.array([word.lower() for word in labeled.word.ravel()]).reshape(labeled.word.shape)
    of_class = [np.isin(lower, list(names)).any(axis=1) for names in WORD_CLASSES.values()]
    chosen = []
    for half, first in ((held, sense_rows), (~held, [])):
        wanted = [rng.permutation(np.flatnonzero(half & mine))[:OF_A_CLASS] for mine in of_class]
        chosen.append(_first_of(most, [*_in_turn(first), *_in_turn(wanted), *rng.permutation(np.flatnonzero(half))]))
    return labeled.take(np.sort(np.concatenate(chosen)))


def _in_turn(lists: list[Int[np.ndarray, " k"]]) -> list[int]:
    """The first of each list, then the second of each, and so on."""
    return [int(each) for together in zip_longest(*lists) for each in together if each is not None]


def _first_of(most: int, rows: list[int]) -> Int[np.ndarray, " k"]:
    """The first numbers that are not there yet."""
    return np.array(list(dict.fromkeys(map(int, rows)))[:most], dtype=np.int64)
