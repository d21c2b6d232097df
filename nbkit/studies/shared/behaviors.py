"""What each behavior of a neuron is, told by its examples: the key tokens of a cluster, and its central example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbkit.atlas.examples import HasExamples
from nbkit.atlas.snippets import Snippet, display_token
from nbkit.features.words import SPACE_SIGN
from nbkit.studies.shared.table import BookTable, Excerpt

TOLD_BEFORE, TOLD_AFTER = 9, 5
"""Of a key token, in a cell."""
MOST_TOKENS = 4
"""Key tokens that are named of a cluster."""


def behaviors_told(
    neuron: HasExamples, threshold: float | None = None, titles: Sequence[str] = (), most: int = 10
) -> BookTable:
    """The largest clusters of a neuron in words of the corpus, a row each, by the numbers that figures give them.

    Args:
        neuron: with examples.
        threshold: distance in (0, 1] at which its tree is cut; None for its own (see `Neuron.cut`).
        titles: of the first rows, in place of their numbers.
        most: rows.

    Raises:
        NbkitError: the neuron has no examples, or the threshold is outside (0, 1].
    """
    clusters = neuron.clusters(threshold)
    rows = {}
    for label, size in enumerate(clusters.sizes.tolist()[:most]):
        members = [neuron.snippets[i] for i in np.flatnonzero(clusters.labels == label).tolist()]
        rows[titles[label] if label < len(titles) else f"{label + 1}"] = {
            "examples": size,
            "most frequent key tokens": key_tokens(members),
            "central example": excerpt(neuron.snippets[int(clusters.medoids[label])]),
        }
    return BookTable("behaviors", pd.DataFrame.from_dict(rows, orient="index"))


def key_tokens(snippets: Sequence[Snippet], most: int = MOST_TOKENS) -> str:
    """The most frequent key tokens of examples, with how many have each: `London (12), Paris (3)`."""
    return ", ".join(f"{token} ({count})" for token, count in frequent_tokens(snippets, most))


def frequent_tokens(snippets: Sequence[Snippet], most: int = MOST_TOKENS) -> list[tuple[str, int]]:
    """The most frequent key tokens of examples as they are shown, each with how many have it."""
    words = Counter((snippet.key_word, display_token(snippet.key_token).strip() or SPACE_SIGN) for snippet in snippets)
    return [(token, count) for (_, token), count in words.most_common(most)]


def excerpt(snippet: Snippet) -> Excerpt:
    """An example's key token with some of the text around it."""
    first = max(0, snippet.key - TOLD_BEFORE)
    before = "".join(snippet.tokens[first : snippet.key])
    after = "".join(snippet.tokens[snippet.key + 1 : snippet.key + 1 + TOLD_AFTER])
    return Excerpt(f"…{before}", snippet.key_token, f"{after}…")
