"""The neuron embedding in a basis of features: what a unit found in the features of the vector that it received.

Equation 1 multiplies coordinate by coordinate, and a model's coordinates need not mean anything. A dictionary (of a
sparse autoencoder, say) writes the vector as a sum of features, h = sum of z_f d_f + what is left, so a unit's
pre-activation is, up to that and its bias, the sum of the features' contributions z_f (d_f · w): equation 1 in the
basis of features. With the coordinates themselves as the dictionary it is equation 1 again.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array


def feature_contributions(
    codes: Float[np.ndarray, "n f"], directions: Float[np.ndarray, "f d"], weights: Float[np.ndarray, " d"]
) -> Float[np.ndarray, "n f"]:
    """Equation 1 in a basis of features: how much each feature adds to the unit's pre-activation.

    Args:
        codes: (n, f) how much of each feature a vector holds, `sae.encode(h)` of an autoencoder.
        directions: (f, d) the features, `sae.w_dec`.
        weights: (d,) the weights with which the unit reads.

    Returns:
        (n, f) codes * (directions @ weights). A row's sum is (codes @ directions) · weights.

    Raises:
        NbkitError: the shapes don't belong together, or they hold something else than finite numbers.
    """
    z, d, w = _checked(codes, directions, weights)
    contributions: Float[np.ndarray, "n f"] = z * (d @ w)
    return contributions


def feature_embeddings(
    codes: Float[np.ndarray, "n f"], directions: Float[np.ndarray, "f d"], weights: Float[np.ndarray, " d"]
) -> Float[np.ndarray, "n d"]:
    """The features that push a unit, each as much as it does, added up where they came from.

    The contributions z_f (d_f · w) themselves take two features for unlike each other however alike their directions
    are, and a dictionary has many that are nearly one. So those above zero are written back: the sum of
    max(z_f (d_f · w), 0) d_f. Features that hold the unit back are left out, since a dataset example is one for what
    made the unit fire.

    Args:
        codes: (n, f) how much of each feature a vector holds, `sae.encode(h)` of an autoencoder.
        directions: (f, d) the features, `sae.w_dec`.
        weights: (d,) the weights with which the unit reads.

    Returns:
        (n, d) embeddings; a row of zeros where no feature pushes.

    Raises:
        NbkitError: the shapes don't belong together, or they hold something else than finite numbers.
    """
    pushing = np.clip(feature_contributions(codes, directions, weights), 0, None)
    embeddings: Float[np.ndarray, "n d"] = pushing @ checked_array(directions, "The directions")
    return embeddings


class Carried(NamedTuple):
    """How much of what pushes a unit each feature carries: in each of k clusters of its examples, and elsewhere."""

    inside: Float[np.ndarray, "k f"]
    """Shares of the cluster's mean contribution above zero; a row adds up to 1, or to 0 if nothing pushes there."""
    elsewhere: Float[np.ndarray, "k f"]
    """Such shares over all examples of the other clusters; zeros of a cluster that is alone."""

    def names(self, cluster: int, most: int) -> Int[np.ndarray, " named"]:
        """The features that name a cluster: those that carry more of it than of what is elsewhere, by how much more.

        A feature that carries all clusters alike names none.

        Args:
            cluster: its number.
            most: features.
        """
        more = self.inside[cluster] - self.elsewhere[cluster]
        order = np.argsort(-more, kind="stable")[:most]
        named: Int[np.ndarray, " named"] = order[more[order] > 0]
        return named


def carried(contributions: Float[np.ndarray, "n f"], labels: Int[np.ndarray, " n"]) -> Carried:
    """Which features carry each cluster of a unit's examples.

    Args:
        contributions: (n, f) of `feature_contributions`; those below zero count as 0.
        labels: (n,) the cluster of each example, 0 to k - 1, as `FeatureClusters.labels`.

    Raises:
        NbkitError: the lengths differ, or the contributions hold something else than finite numbers.
    """
    pushing = np.clip(_finite(contributions, "The contributions"), 0, None)
    if pushing.ndim != 2 or labels.shape != pushing.shape[:1]:
        raise NbkitError(f"Contributions of shape {pushing.shape}, labels {labels.shape}: give (n, f) and (n,).")
    members = np.eye(labels.max(initial=-1) + 1)[labels]  # (n, k) one-hot
    return Carried(_shares(members.T @ pushing), _shares((1 - members).T @ pushing))  # a mean's shares are a sum's


def _shares(sums: Float[np.ndarray, "k f"]) -> Float[np.ndarray, "k f"]:
    totals = sums.sum(axis=1, keepdims=True)
    shares: Float[np.ndarray, "k f"] = sums / np.where(totals > 0, totals, 1)
    return shares


def side_by_side(first: Float[np.ndarray, "n a"], second: Float[np.ndarray, "n b"]) -> Float[np.ndarray, "n a+b"]:
    """Two spaces in one, whose cosine similarity is the mean of theirs.

    Args:
        first, second: (n, a) and (n, b) embeddings of the same examples.

    Returns:
        (n, a + b) both scaled to length 1, one after the other. One of zeros is left as it is: like nothing there.

    Raises:
        NbkitError: the shapes don't belong together, or they hold something else than finite numbers.
    """
    pair = _finite(first, "The first embeddings"), _finite(second, "The second embeddings")
    if [x.ndim for x in pair] != [2, 2] or len(pair[0]) != len(pair[1]):
        raise NbkitError(f"Embeddings of shape {pair[0].shape} and {pair[1].shape}: give (n, a) and (n, b).")
    scaled = []
    for x in pair:
        norms = np.linalg.norm(x, axis=1, keepdims=True)
        scaled.append(x / np.where(norms > 0, norms, 1))
    return np.hstack(scaled)


def _checked(codes: object, directions: object, weights: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    z, d, w = _finite(codes, "The codes"), _finite(directions, "The directions"), _finite(weights, "The weights")
    if z.ndim != 2 or d.ndim != 2 or z.shape[1] != d.shape[0] or w.shape != d.shape[1:]:
        raise NbkitError(
            f"Codes of shape {z.shape}, directions {d.shape} and weights {w.shape}: give (n, f), (f, d) and (d,)."
        )
    return z, d, w


def _finite(values: object, what: str) -> np.ndarray:
    array = checked_array(values, what)
    if not np.isfinite(array).all():
        raise NbkitError(f"{what} hold NaN or infinity: give finite numbers.")
    return array
