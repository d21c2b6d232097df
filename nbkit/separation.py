"""How far a latent's examples fall into two groups."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform
from torch import Tensor

from nbkit.errors import NbkitError

EXAMPLES = 10
"""Examples of a latent that are clustered; as many for each, since silhouettes depend on their number."""


def two_cluster_silhouettes(
    vectors: Float[Tensor, "n_inputs d"],
    offsets: Int[Tensor, " m+1"],
    inputs: Int[Tensor, " n"],
    weights: Float[Tensor, "d m"] | None = None,
    n_examples: int = EXAMPLES,
) -> Float[np.ndarray, " m"]:
    """The silhouette of each latent's first examples in two clusters, by cosine distance.

    The average-linkage tree is cut where it falls into two. Unlike a distance, the figure does not change when all
    distances shrink alike, and unlike the silhouette at a fixed threshold it is defined for a tight latent too: from -1
    to 1, high if the examples are two groups far apart.

    Args:
        vectors: one for each input: the images, or what the encoder reads.
        offsets: latent j's examples are `inputs[offsets[j]:offsets[j + 1]]`.
        inputs: places in `vectors`.
        weights: the encoder's, for silhouettes of neuron embeddings.
        n_examples: how many of a latent's examples are clustered, at least three.

    Returns:
        NaN for the latents with fewer examples.

    Raises:
        NbkitError: the shapes don't fit, or n_examples is below 3.
    """
    m, d = len(offsets) - 1, vectors.shape[1]
    if int(offsets[-1]) != len(inputs) or (weights is not None and tuple(weights.shape) != (d, m)):
        shape = None if weights is None else tuple(weights.shape)
        raise NbkitError(
            f"{m} latents with {int(offsets[-1])} examples, {len(inputs)} places, vectors of width {d} and weights of "
            f"shape {shape} don't fit: the last offset is the number of places, and weights are (width, latents)."
        )
    if n_examples < 3:
        raise NbkitError(f"n_examples is {n_examples}: two clusters need at least 3 examples.")
    found = np.full(m, np.nan)
    for latent in np.flatnonzero(offsets.diff().numpy() >= n_examples):
        start = int(offsets[latent])
        chosen = vectors[inputs[start : start + n_examples]].double()
        if weights is not None:
            chosen = chosen * weights[:, latent].double()
        found[latent] = two_cluster_silhouette(_distances(chosen.numpy()))
    return found


def two_cluster_silhouette(condensed: Float[np.ndarray, " pairs"]) -> float:
    """The mean silhouette of the two clusters into which average linkage divides points; 0 if all coincide.

    Args:
        condensed: the distances of at least three points, as SciPy's `pdist` orders them.
    """
    if not condensed.any():
        return 0.0
    tree = linkage(condensed, "average")
    n = len(tree) + 1
    second = np.isin(np.arange(n), _leaves(tree, int(tree[-1, 1])))
    distances = squareform(condensed, checks=False)
    sums = np.stack([distances[:, ~second].sum(1), distances[:, second].sum(1)])
    sizes = np.array([n - second.sum(), second.sum()])
    own = second.astype(int)
    inside = sums[own, np.arange(n)] / np.maximum(sizes[own] - 1, 1)
    across = sums[1 - own, np.arange(n)] / sizes[1 - own]
    larger = np.maximum(inside, across)
    scores = np.where((sizes[own] > 1) & (larger > 0), (across - inside) / np.where(larger > 0, larger, 1), 0.0)
    return float(scores.mean())


def _distances(embedded: Float[np.ndarray, "n d_in"]) -> Float[np.ndarray, " pairs"]:
    """Cosine distances as half the squared distance of unit vectors, which keeps tiny ones exact."""
    unit: Tensor = torch.nn.functional.normalize(torch.from_numpy(embedded), dim=1, eps=np.finfo(np.float64).tiny)
    condensed: np.ndarray = pdist(unit.numpy(), "sqeuclidean") / 2
    return condensed


def _leaves(tree: Float[np.ndarray, "merges 4"], node: int) -> list[int]:
    n, found, pending = len(tree) + 1, [], [node]
    while pending:
        node = pending.pop()
        if node < n:
            found.append(node)
        else:
            pending += [int(child) for child in tree[node - n, :2]]
    return found
