"""How far a latent's examples fall into two groups."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import linkage
from torch import Tensor
from torch.nn.functional import normalize

from nbkit.errors import NbkitError
from nbkit.sae.latents import GROUP

EXAMPLES_OF_A_LATENT = 10
"""Examples of a latent that are clustered; as many for each, since silhouettes depend on their number."""


def two_cluster_silhouettes(
    vectors: Float[Tensor, "n_inputs d"],
    offsets: Int[Tensor, " m+1"],
    inputs: Int[Tensor, " n"],
    weights: Float[Tensor, "d m"] | None = None,
    n_examples: int = EXAMPLES_OF_A_LATENT,
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
    large = torch.from_numpy(np.flatnonzero(offsets.diff().numpy() >= n_examples))
    n_latents = max(1, GROUP // (n_examples * max(n_examples, d)))
    first, second = np.triu_indices(n_examples, 1)
    for start in range(0, len(large), n_latents):
        latents = large[start : start + n_latents]
        embedded = vectors[inputs[offsets[latents, None] + torch.arange(n_examples)]].double()
        if weights is not None:
            embedded *= weights.T[latents, None].double()
        unit = normalize(embedded, dim=2, eps=torch.finfo(torch.float64).tiny)
        # half the squared distance of unit vectors is their cosine distance, and exact for tiny ones
        distances = torch.cdist(unit, unit, compute_mode="donot_use_mm_for_euclid_dist").square() / 2
        found[latents.numpy()] = silhouettes(distances[:, first, second].numpy())
    return found


def silhouettes(condensed: Float[np.ndarray, "m pairs"]) -> Float[np.ndarray, " m"]:
    """The mean silhouette of the two clusters into which average linkage divides points; 0 if all coincide.

    Args:
        condensed: for each set of at least three points their distances, as SciPy's `pdist` orders them.
    """
    m = len(condensed)
    trees = np.stack([linkage(distances, "average") for distances in condensed])  # (m, n - 1, 4)
    n = trees.shape[1] + 1
    children = trees[:, :, :2].astype(int)
    below = np.zeros((m, 2 * n - 1), dtype=bool)  # whether a node lies below the second branch
    every = np.arange(m)
    below[every, children[:, -1, 1]] = True
    for merge in reversed(range(n - 2)):
        below[every[:, None], children[:, merge]] |= below[:, n + merge, None]
    second = below[:, :n]

    distances = np.zeros((m, n, n))
    distances[:, *np.triu_indices(n, 1)] = condensed
    distances += distances.transpose(0, 2, 1)
    members = np.stack([~second, second], axis=2)  # (m, n, 2)
    sums, sizes = distances @ members, members.sum(1, keepdims=True)
    inside, across = (np.where(which, sums[:, :, 1], sums[:, :, 0]) for which in (second, ~second))
    own, others = (np.where(which, sizes[:, :, 1], sizes[:, :, 0]) for which in (second, ~second))
    inside, across = inside / np.maximum(own - 1, 1), across / others
    larger = np.maximum(inside, across)
    scores = np.where((own > 1) & (larger > 0), (across - inside) / np.where(larger > 0, larger, 1), 0.0)
    means: Float[np.ndarray, " m"] = scores.mean(1)
    return means
