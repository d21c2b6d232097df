"""Whether similar features behave alike: how far neighbors agree in each space, and how far chance would go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import InputWeights
from nbkit.features.neighbors import neighbor_kinds, neighbors_of
from nbkit.features.table import features_of
from nbkit.models.sign import Sign, strength
from nbkit.parallel.threads import one_thread

AGREEMENT = "agreement.parquet"
SCOPES = ("same", "other")
"""In the same layer, and in the others."""
ALIKE_BY = ("words", "response")
FEWEST_BESIDE_MEDOID = 3
"""Examples beside its medoid that a feature needs, so that it has a behavior to compare."""
PAIRS = 200
"""Of a feature and a neighbor that are looked at, of each kind and scope."""
PEERS = 20
"""Features of about the neighbor's size, one of which is drawn to stand in its place."""
AGREEMENT_RESAMPLES = 1000


def agreement_of(atlas: Atlas, progress: bool = True) -> pd.DataFrame:
    """How far features that are called similar (see `neighbors_of`) behave alike, beside features drawn at random.

    The similarity of two features is that of their medoids, so both medoids are left out. Of the other examples:

    - `words`: how far the two features' key words overlap, the sum over all words of the smaller of the two shares; 1
      if their shares are equal, 0 if they have no word in common.
    - `response`: how strongly the neighbor's neuron answers to them: the mean strength of its activation (see
      `nbkit.models.sign`), below zero as 0, as a share of its maximum. Known in the same layer, where both neurons
      read the same vector.

    In the neighbor's place, a feature of its layer and about its size is drawn from another neuron than the feature's.
    Up to `PAIRS` pairs of each kind and scope are drawn, with the atlas's seed, from all neighbors of which both sides
    have at least `FEWEST_BESIDE_MEDOID` examples beside the medoid. Made on first demand and kept in the atlas's
    folder.

    Returns:
        Rows of `kind` (see `neighbor_kinds`), `scope` ("same" or "other"), `measure`, `pairs`, the means of
        `neighbors` and `random`, and `low` and `high`, the 95% bootstrap interval of their difference over neurons;
        NaN without a pair.

    Raises:
        NbkitError: if the table can't be written.
    """
    other = neighbor_kinds(atlas)[1]
    name = AGREEMENT if other == "pre_mlp" else f"agreement-beside-{other}.parquet"
    return atlas.kept.table(name, lambda: _measure(atlas, progress))


def most_agreeing_kind(table: pd.DataFrame, kinds: Sequence[str]) -> str:
    """The kind whose neighbors share most key words beyond chance, on average over the scopes; the first of equals.

    Args:
        table: of `agreement_of`.
        kinds: those to choose from.
    """
    words = table[table["measure"] == "words"]
    beyond = (words["neighbors"] - words["random"]).groupby(words["kind"]).mean()
    return max(kinds, key=lambda kind: np.nan_to_num(beyond[kind], nan=-np.inf))


@dataclass(frozen=True, eq=False)
class _Behavior:
    """A feature's m examples beside its medoid, and how its neuron answers."""

    weights: InputWeights
    activation: str
    max_activation: float
    sign: Sign
    words: Int[np.ndarray, " m"]
    pre_mlp: Float[np.ndarray, "m d"]

    def response(self, pre_mlp: Float[np.ndarray, "k d"]) -> float:
        """The neuron's mean strength on some vectors as a share of its maximum; each counts as at least 0 and, since
        a maximum may be given, as at most 1."""
        activations = self.weights.activations(torch.from_numpy(pre_mlp), self.activation)
        return float((strength(activations, self.sign) / self.max_activation).clamp(0, 1).mean())


def _measure(atlas: Atlas, progress: bool) -> pd.DataFrame:
    features = features_of(atlas, progress)
    able = features[features["size"] > FEWEST_BESIDE_MEDOID]
    read = lru_cache(maxsize=2048)(lambda number: _behavior(atlas, features, number))
    rows = []
    for kind in neighbor_kinds(atlas):
        near = neighbors_of(atlas, kind, progress).feature
        for place, scope in enumerate(SCOPES):
            rng = np.random.default_rng(atlas.manifest.seed)
            known = np.isin(near[able.index, place], able.index)
            row, rank = np.nonzero(known)
            drawn = np.sort(rng.permutation(len(row))[:PAIRS])
            one = able.index.to_numpy()[row[drawn]]
            other = near[one, place, rank[drawn]]
            neuron = atlas.rows(features["layer"], features["index"])[one]
            pairs = tqdm(list(zip(one, other, strict=True)), f"agreement ({kind}, {scope})", disable=not progress)
            with one_thread():
                found = np.array([_compare(read, *pair, _peer(rng, able, *pair), scope) for pair in pairs])
            found = found.reshape(-1, 2, len(ALIKE_BY))
            rows += [
                (kind, scope, measure, len(one), *_means(found[:, :, i], neuron, rng))
                for i, measure in enumerate(ALIKE_BY)
            ]
    return pd.DataFrame(rows, columns=["kind", "scope", "measure", "pairs", "neighbors", "random", "low", "high"])


def _behavior(atlas: Atlas, features: pd.DataFrame, number: int) -> _Behavior:
    layer, index, place, medoid = (int(features[name].iloc[number]) for name in ("layer", "index", "place", "medoid"))
    neuron = atlas.neuron(layer, index)
    rest = np.flatnonzero(neuron.clusters().labels == place)
    rest = rest[rest != medoid]
    assert neuron.key_words is not None
    words = np.where(neuron.key_words < 0, -1 - neuron.key_ids, neuron.key_words)
    return _Behavior(
        neuron.weights, neuron.activation, neuron.max_activation, neuron.sign, words[rest], neuron.pre_mlp[rest]
    )


def _peer(rng: np.random.Generator, able: pd.DataFrame, one: int, other: int) -> int:
    """A feature to stand in a neighbor's place: one of the `PEERS` of its layer that are nearest to it in size, itself
    among them; none of the neuron of `one`."""
    of_layer = able[able["layer"] == able.at[other, "layer"]]
    own = (of_layer["layer"] == able.at[one, "layer"]) & (of_layer["index"] == able.at[one, "index"])
    rest = of_layer[~own].sample(frac=1, random_state=rng)
    apart = np.abs(np.log(rest["size"] / int(able.loc[[other], "size"].item())))
    return int(rng.choice(rest.index[np.argsort(apart, kind="stable")[:PEERS]]))


def _compare(read: Callable[[int], _Behavior], one: int, other: int, drawn: int, scope: str) -> list[list[float]]:
    """The measures of a feature with its neighbor, and with what was drawn in the neighbor's place."""
    mine = read(one)
    return [
        [overlap(mine.words, each.words), each.response(mine.pre_mlp) if scope == "same" else np.nan]
        for each in (read(other), read(drawn))
    ]


def overlap(one: Int[np.ndarray, " m"], other: Int[np.ndarray, " k"]) -> float:
    """How far two lists of words overlap: the sum over all words of the smaller of the two shares."""
    words = np.union1d(one, other)
    shares = [np.bincount(np.searchsorted(words, some), minlength=len(words)) / len(some) for some in (one, other)]
    return float(np.minimum(*shares).sum())


def _means(
    found: Float[np.ndarray, "pairs 2"], neuron: Int[np.ndarray, " pairs"], rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """The means of neighbors and of random features, and the interval of their difference: neurons are drawn anew,
    since the pairs of one are not independent."""
    if not len(found) or np.isnan(found).any():
        return np.nan, np.nan, np.nan, np.nan
    _, which = np.unique(neuron, return_inverse=True)
    n = np.bincount(which)
    total = np.bincount(which, found[:, 0] - found[:, 1])
    drawn = rng.integers(len(n), size=(AGREEMENT_RESAMPLES, len(n)))
    low, high = np.quantile(total[drawn].sum(axis=1) / n[drawn].sum(axis=1), (0.025, 0.975))
    neighbors, random = found.mean(axis=0)
    return float(neighbors), float(random), float(low), float(high)
