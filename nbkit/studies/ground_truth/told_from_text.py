"""Whether a neuron's feature clusters can be told from text: on contexts never clustered, by a score without vectors.

The neuron's clusters are made from its dataset examples in one half of the documents. Which cluster a context of the
other half is of, its vector says: that of the smallest mean cosine distance, as average linkage has it. How likely it
is of cluster c, its text alone says:

    score_c(b) = mean of t(a, b) over a in c - mean of t(a, b) over a not in c,

where a are the clustered examples and t is how alike two texts are: 1 if their key words are the same (`word`), the
cosine similarity of their sentence embeddings (`sentence`), or the sum of both (`text`). The average precision of that
score is the cluster's AUPRC. So nothing that is tested was clustered, and what scores has seen no vector: to score by
the distance that also gives the truth would be a circle.

Controls: the clusters of the pre-MLP vector and of another neuron's weights, as many; and random groups of clustered
examples, as large as the neuron's clusters, to which its vector assigns the held-out ones in the same way. As far as
texts are alike where vectors are, these are told from text as well.

Held out are other documents rather than the strongest contexts that come too late to be examples: of these a neuron has
ten at most, and one with fewer than 100 examples has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist

from nbkit.atlas.neuron import Neuron
from nbkit.method.average_precision import average_precision
from nbkit.method.clusters import feature_clusters
from nbkit.models.site import CONTROLS
from nbkit.studies.ground_truth.sentences import sentence_embeddings
from nbkit.studies.shared.nearest_clusters import nearest_clusters

OWN, RANDOM = "own", "random"
"""Groupings: the neuron's clusters, and random groups."""
EXAMPLES_TOLD = 48
"""Of a neuron that are looked at, drawn at random from its at most 100, for the time that their sentences take."""
CLUSTERED = 5
"""Clustered examples that a cluster has at least."""
DRAWS = 20
"""Random groupings of a neuron's examples."""
SCORES = ("text", "word", "sentence")


def told_from_text(neuron: Neuron, held: Bool[np.ndarray, " n"], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """How well a neuron's clusters, at the cut of 0.5, are told from text.

    Args:
        neuron: of a language model.
        held: the examples that are not clustered.
        rng: draws the examples and the random groups.

    Returns:
        One row for each grouping and each of its clusters with at least `CLUSTERED` examples and, of those that are
        held out, one but not all: `grouping` (`own`, `pre_mlp`, `shuffled` or, `DRAWS` times, `random`), the `size` and
        `share` of the cluster, how many are `held_out` and how many of them its own (`found`), the average precision of
        each of `SCORES`, and that of an order by `chance`. None if one half has fewer than `CLUSTERED` examples.
    """
    rows = np.sort(rng.permutation(len(neuron))[:EXAMPLES_TOLD])
    clustered, tested = rows[~held[rows]], rows[held[rows]]
    if min(len(clustered), len(tested)) < CLUSTERED:
        return
    alike = _alike(neuron, tested, clustered)
    for grouping, labels, assigned in _groupings(neuron, clustered, tested, rng):
        for cluster, size in enumerate(np.bincount(labels)):
            truth = assigned == cluster
            if CLUSTERED <= size < len(labels) and 0 < truth.sum() < len(truth):
                row = {"grouping": grouping, "size": int(size), "share": size / len(labels)}
                row |= {"held_out": len(truth), "found": int(truth.sum())}
                row |= {name: average_precision(truth, scores(each, labels == cluster)) for name, each in alike.items()}
                yield row | {"chance": average_precision(truth, np.zeros(len(truth)))}


def scores(
    alike: Float[np.ndarray, "tested clustered"], member: Bool[np.ndarray, " clustered"]
) -> Float[np.ndarray, " tested"]:
    """How much more alike each context is to a cluster's examples than to the others."""
    more: Float[np.ndarray, " tested"] = alike[:, member].mean(axis=1) - alike[:, ~member].mean(axis=1)
    return more


def key_words(neuron: Neuron) -> Int[np.ndarray, " n"]:
    """A number for each example's key word, or its key token if words are not known."""
    return neuron.key_ids if neuron.key_words is None else neuron.key_words


def _alike(
    neuron: Neuron, tested: Int[np.ndarray, " tested"], clustered: Int[np.ndarray, " clustered"]
) -> Mapping[str, Float[np.ndarray, "tested clustered"]]:
    words = key_words(neuron)
    word = (words[tested][:, None] == words[clustered]).astype(np.float64)
    texts = [_text(neuron.snippet_tokens[row][0]) for row in (*tested, *clustered)]
    embedded = sentence_embeddings(texts).astype(np.float64)
    sentence = 1 - cdist(embedded[: len(tested)], embedded[len(tested) :], "cosine")
    return dict(zip(SCORES, (word + sentence, word, sentence), strict=True))


def _text(raw: Sequence[str]) -> str:
    """The text of some tokens' raw texts: bytes that make a character together are it."""
    return "".join(raw).encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()


def _groupings(
    neuron: Neuron,
    clustered: Int[np.ndarray, " clustered"],
    tested: Int[np.ndarray, " tested"],
    rng: np.random.Generator,
) -> Iterator[tuple[str, Int[np.ndarray, " clustered"], Int[np.ndarray, " tested"]]]:
    """Of each grouping its name, the clusters of the clustered examples, and those that the tested ones are of."""

    def of(kind: str | None) -> tuple[Float[np.ndarray, "clustered d"], Float[np.ndarray, "tested clustered"]]:
        embeddings = neuron.embeddings(kind).astype(np.float64)
        return embeddings[clustered], cdist(embeddings[tested], embeddings[clustered], "cosine")

    embeddings, distances = of(None)
    own = feature_clusters(embeddings, neuron.cut()).labels
    yield OWN, own, nearest_clusters(distances, own)
    for drawn in (rng.permutation(own) for _ in range(DRAWS)):
        yield RANDOM, drawn, nearest_clusters(distances, drawn)
    for kind in CONTROLS:
        if neuron.has_direction(kind):
            embeddings, distances = of(kind)
            labels = feature_clusters(embeddings).cut_to(own.max() + 1).labels
            yield kind, labels, nearest_clusters(distances, labels)
