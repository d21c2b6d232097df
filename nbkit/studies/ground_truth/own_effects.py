"""Whether zeroing a neuron changes what the model says next in a way that is each cluster's own.

For an example i let p_i be the distribution of the token behind the key token, and q_i the same with the neuron's
activation at the key token zero. What zeroing changes is

    e_i = sqrt(q_i) - sqrt(p_i),

one number a token, whose squares sum to twice the squared Hellinger distance of q_i and p_i. Two examples are changed
alike as far as s_ij = cos(e_i, e_j) is high. A cluster's contrast is the mean s_ij of its pairs minus that of its
examples with all others; a random group as large has 0 in expectation. (Of plain probabilities one or two likely tokens
would be the whole of e_i, of logarithms the many thousands that never come. Both are measured as well.)

Controls:

- Another neuron's output. Each context has likely tokens of its own, and whatever pushes the output there moves these.
  So another neuron of the layer is lowered by as much as the neuron was: the contrast of what that changes is the
  contexts', not the neuron's.
- The clusters of the pre-MLP vector and of another neuron's weights, as many; and the examples of each key word.
- Pairs of two key words alone, since what comes next depends on the key token.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from nbkit.atlas.neuron import Neuron
from nbkit.method.cluster_contrast import cluster_contrasts
from nbkit.models.site import CONTROLS
from nbkit.studies.ground_truth.told_from_text import OWN, key_words
from nbkit.studies.ground_truth.zeroing import MOST_READ, Zeroing

WORD = "word"
"""The grouping by key words."""
EXAMPLES_ZEROED = 12
"""Of a neuron that are looked at, drawn at random from those whose key token is among the first `MOST_READ` tokens."""
FEWEST_OF_A_CLUSTER = 3
"""Drawn examples that a cluster has at least: of two there is one pair."""
PERMUTATIONS = 1000
EQUAL = 1e-9
"""Contrasts that differ by less are equal."""
CHANGED = ("zeroed", "other")
"""The neuron itself, and another one in its place."""
OUTPUT_SUFFIXES = ("", "_probability", "_logarithm")
"""What the differences are of: square roots of probabilities, these themselves, and their logarithms."""


def own_effects(
    neuron: Neuron, tokens: Int[np.ndarray, "contexts length"], zeroing: Zeroing, other: int, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """The contrasts of a neuron's clusters, at the cut of 0.5.

    Args:
        neuron: of a language model.
        tokens: of the atlas's contexts.
        zeroing: of the model.
        other: another neuron of the layer.
        rng: draws examples and permutations.

    Returns:
        One row for each grouping and each of its clusters that has `FEWEST_OF_A_CLUSTER` drawn examples: `grouping`
        (`own`, `pre_mlp`, `shuffled` or `word`), the `size` and `share` of the cluster among the drawn; its contrast
        when the neuron is `zeroed` and when an `other` one is lowered, likewise `zeroed_probability` and so on by other
        measures, and `zeroed_words` and `other_words` of pairs of two key words; `zeroed_p` and `other_p`, the share of
        permutations of the grouping whose mean contrast is as high; and `zeroed_nats` and `other_nats`, the neuron's
        mean Kullback-Leibler divergence of q_i from p_i. None if no more than `FEWEST_OF_A_CLUSTER` examples can be
        drawn.
    """
    rows = np.sort(rng.permutation(np.flatnonzero(neuron.position < MOST_READ))[:EXAMPLES_ZEROED])
    if len(rows) <= FEWEST_OF_A_CLUSTER:
        return
    at = tokens[neuron.context[rows]], neuron.position[rows]
    said = zeroing.log_probabilities(*at, neuron.layer, neuron.index, other).double()
    words = key_words(neuron)[rows]
    alike = _alike(said)
    nats = ((said[0].exp() * (said[0] - said[1:])).sum(-1).mean(-1)).tolist()  # (2,)
    for grouping, labels in _groupings(neuron, rows, words):
        found = {name: cluster_contrasts(each, labels[None], FEWEST_OF_A_CLUSTER)[0] for name, each in alike.items()}
        drawn = np.stack([labels, *(rng.permutation(labels) for _ in range(PERMUTATIONS))])
        of_all = {}
        for who, divergence in zip(CHANGED, nats, strict=True):
            found[f"{who}_words"] = cluster_contrasts(
                alike[who], labels[None], FEWEST_OF_A_CLUSTER, words[:, None] != words
            )[0]
            of_all[f"{who}_p"] = _share_as_high(cluster_contrasts(alike[who], drawn, FEWEST_OF_A_CLUSTER))
            of_all[f"{who}_nats"] = divergence
        for cluster in np.flatnonzero(np.isfinite(found[CHANGED[0]])).tolist():
            size = int((labels == cluster).sum())
            of_cluster = {name: float(values[cluster]) for name, values in found.items()}
            yield {"grouping": grouping, "size": size, "share": size / len(rows)} | of_cluster | of_all


def _alike(said: Float[Tensor, "3 n vocabulary"]) -> dict[str, Float[np.ndarray, "n n"]]:
    """Cosine similarities of what is changed, by who changes it and by measure."""
    found = {}
    for name, values in zip(
        OUTPUT_SUFFIXES, ((said / 2).exp(), said.exp(), said - said.mean(dim=-1, keepdim=True)), strict=True
    ):
        for who, changed in zip(CHANGED, values[1:] - values[0], strict=True):
            unit = normalize(changed, dim=-1)
            found[who + name] = (unit @ unit.T).cpu().numpy()
    return found


def _groupings(
    neuron: Neuron, rows: Int[np.ndarray, " k"], words: Int[np.ndarray, " k"]
) -> Iterator[tuple[str, Int[np.ndarray, " k"]]]:
    own = neuron.clusters()
    yield OWN, own.labels[rows]
    for kind in CONTROLS:
        if neuron.has_direction(kind):
            yield kind, neuron.clusters(kind=kind).cut_to(own.n_clusters).labels[rows]
    yield WORD, np.unique(words, return_inverse=True)[1]


def _share_as_high(found: Float[np.ndarray, "draws clusters"]) -> float:
    """The share of draws whose mean contrast is as high as the first one's, itself among them; NaN if that has none."""
    known = np.isfinite(found)
    with np.errstate(invalid="ignore"):
        means = np.where(known, found, 0).sum(axis=1) / known.sum(axis=1)
    return float((means >= means[0] - EQUAL).mean()) if known[0].any() else float("nan")
