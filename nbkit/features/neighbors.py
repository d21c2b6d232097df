"""Similar features of other neurons: those whose central examples have the most similar embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int32
from torch import Tensor
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.features.nearest import K, nearest
from nbkit.features.random_pairs import PAIR_SHARES, random_cosines
from nbkit.features.table import features_of
from nbkit.method.checks import have_direction, shown
from nbkit.models.site import compared_kind, embedding_kinds
from nbkit.parallel.threads import one_thread


@dataclass(frozen=True, eq=False)
class Neighbors:
    """For each of F features the nearest of other neurons; [:, 0] in the same layer, [:, 1] in the others."""

    feature: Int32[np.ndarray, "F 2 K"]
    """Feature numbers (rows of `features_of`), the nearest first; -1 where there are no more."""
    cosine: Float[np.ndarray, "F 2 K"]
    """Cosine similarities of the medoids' embeddings; 0 where there are no more."""
    random: Float[np.ndarray, "L 2 shares"]
    """What to compare them with, for each of the atlas's L layers and both scopes: the cosines that `PAIR_SHARES` of
    random pairs of features stay below (see `random_cosines`); NaN where there is no pair."""


def neighbor_kinds(atlas: Atlas) -> tuple[str, str]:
    """The spaces in which neighbors are found: the atlas's default embedding, and the one that it is held against."""
    return atlas.manifest.embedding, compared_kind(atlas.manifest.embedding, embedding_kinds(atlas.manifest.sites))


def neighbors_of(atlas: Atlas, kind: str, progress: bool = True) -> Neighbors:
    """The features that are most similar to each feature, judged by the embeddings of their medoids (see `nearest`).

    A medoid whose vector has no direction, as a pre-MLP vector of zeros, has no neighbors and is nobody's.

    Made on first demand and kept in the atlas's folder. In a space without weights, `centered` or `pre_mlp`, two
    neurons of a layer that have a token of the text as medoid in common are at cosine 1. They are each other's
    neighbors all the same: that another neuron answers to this very token is what a reader looks for. In the space of
    a neuron embedding such neurons are near only if their weights agree as well.

    Args:
        kind: one of `neighbor_kinds`.

    Raises:
        NbkitError: if it is another kind, the file can't be written, or there are so many features that it takes a
            library that is not installed.
    """
    kinds = neighbor_kinds(atlas)
    if not isinstance(kind, str) or kind not in kinds:
        raise NbkitError(
            f"similar features are found in two spaces of this atlas, not in {shown(kind)}: {', '.join(kinds)}"
        )

    def find() -> dict[str, Tensor]:
        features = features_of(atlas, progress)
        neuron = atlas.rows(features["layer"], features["index"])
        layer = features["layer"].to_numpy()
        feature = np.full((len(features), 2, K), -1, dtype=np.int32)
        cosine = np.zeros(feature.shape, dtype=np.float32)
        random = np.full((len(atlas.layers), 2, len(PAIR_SHARES)), np.nan)
        for width in dict.fromkeys(site.width for site in atlas.manifest.sites):  # others can't be compared
            sites = [site.number for site in atlas.manifest.sites if site.width == width]
            rows = np.flatnonzero(np.isin(layer, sites))
            vectors = _central_embeddings(atlas, features.iloc[rows], kind, width, progress)
            directed = have_direction(vectors)
            rows, vectors = rows[directed], vectors[directed]
            found = nearest(vectors, layer[rows], neuron[rows], progress, f"neighbors ({kind})")
            feature[rows], cosine[rows] = np.where(found[0] < 0, -1, rows[found[0]]), found[1]
            have = np.isin(atlas.layers, layer[rows])
            random[have] = random_cosines(vectors, layer[rows], neuron[rows], atlas.manifest.seed)
        arrays = {"feature": feature, "cosine": cosine, "random": random}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    tensors = atlas.kept.tensors(f"similar-{kind}.safetensors", find)
    return Neighbors(*(tensors[name].numpy() for name in ("feature", "cosine", "random")))


@one_thread()
def _central_embeddings(
    atlas: Atlas, features: pd.DataFrame, kind: str, width: int, progress: bool
) -> Float[np.ndarray, "F width"]:
    """The embeddings of the features' medoids."""
    vectors = np.empty((len(features), width), dtype=np.float32)
    layer, index, medoid = (features[name].to_numpy() for name in ("layer", "index", "medoid"))
    starts = np.flatnonzero(features["place"] == 0).tolist()
    with tqdm(total=len(features), desc=f"central examples ({kind})", unit="feature", disable=not progress) as bar:
        for start, stop in pairwise([*starts, len(features)]):  # the features of a neuron
            neuron = atlas.neuron(int(layer[start]), int(index[start]))
            central = neuron.pre_mlp[medoid[start:stop]]
            vectors[start:stop] = neuron.embed(central, kind)
            bar.update(stop - start)
    return vectors
