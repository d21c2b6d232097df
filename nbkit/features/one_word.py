"""How often one behavior alone falls apart: the examples of one neuron on one and the same word."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.method.clusters import feature_clusters

ONE_WORD = "one-word.parquet"
ONE_WORD_SIZES = (10, 20, 30, 50, 100)
"""Numbers of examples in a set."""
NEURONS_DRAWN = 2_000
"""Neurons that are looked at, drawn with the atlas's seed."""
FEWEST_SETS = 20
"""Sets of a size that are enough to tell a share."""


def one_word_splits(atlas: Atlas) -> pd.DataFrame:
    """How often examples of one neuron on one word fall into several clusters, by their number.

    They are as near to one behavior as can be told without a look at any space: the neuron is the same and so is the
    key word (see `Atlas.words`). A behavior may be wider than a word, and then falls apart more often; a word may have
    several. A neuron counts if it answers to one word in at least as many examples, so the sets are of neurons that
    answer to one word often, and a share is theirs. Of each of some neurons the most frequent key word is taken, of
    equals the first, and of its examples as many as each of `ONE_WORD_SIZES` asks for, at random. Average linkage in
    the space of the default embedding, cut where the atlas cuts it. Made on first demand and kept in the atlas's
    folder.

    Returns:
        One row for each size of which there are at least `FEWEST_SETS` sets and each number of clusters from 2 to the
        most that was found, at least 2: `examples`, `clusters`, `share`, that of the sets that fall into at least so
        many, and `sets`.

    Raises:
        NbkitError: if the table can't be written.
    """
    return atlas.kept.table(ONE_WORD, lambda: _count(atlas))


def _count(atlas: Atlas) -> pd.DataFrame:
    table = atlas.neurons[atlas.neurons["n_examples"] >= min(ONE_WORD_SIZES)]
    drawn = table.sample(min(NEURONS_DRAWN, len(table)), random_state=atlas.manifest.seed).sort_index()
    rng = np.random.default_rng(atlas.manifest.seed)
    found: dict[int, list[int]] = {size: [] for size in ONE_WORD_SIZES}
    for layer, index in zip(drawn["layer"], drawn["index"], strict=True):
        neuron = atlas.neuron(int(layer), int(index))
        words, counts = np.unique(atlas.words[neuron.key_ids], return_counts=True)
        if counts.max() < min(ONE_WORD_SIZES) or not neuron.has_direction():
            continue
        of_word = rng.permutation(np.flatnonzero(atlas.words[neuron.key_ids] == words[counts.argmax()]))
        embeddings = neuron.embeddings()
        for size in ONE_WORD_SIZES:
            if len(of_word) >= size:
                found[size].append(feature_clusters(embeddings[of_word[:size]], neuron.cut()).n_clusters)
    rows = [
        (size, clusters, float(np.mean(np.array(counts) >= clusters)), len(counts))
        for size, counts in found.items()
        if len(counts) >= FEWEST_SETS
        for clusters in range(2, max(2, *counts) + 1)
    ]
    return pd.DataFrame(rows, columns=["examples", "clusters", "share", "sets"])
