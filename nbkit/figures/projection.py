"""Embeddings in two dimensions, for the eye."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator


def project(distances: Float[np.ndarray, "n n"]) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " 2"]]:
    """The two principal axes of the unit vectors, from their cosine distances.

    The squared distance of two unit vectors is twice their cosine distance, so classical multidimensional scaling
    (Torgerson 1952) gives the principal components without the vectors.

    Returns:
        Coordinates (n, 2), the largest in magnitude on each axis positive; share of the variance on each axis (2,).
    """
    n = len(distances)
    centered = distances - distances.mean(axis=0) - distances.mean(axis=1)[:, None] + distances.mean()
    variances, axes = np.linalg.eigh(-centered)
    variances, axes = variances.clip(min=0.0)[::-1], axes[:, ::-1]
    coordinates = np.zeros((n, 2))
    coordinates[:, : min(n, 2)] = (axes * np.sqrt(variances))[:, :2]
    strongest = coordinates[np.abs(coordinates).argmax(axis=0), [0, 1]]
    shares = np.zeros(2)
    shares[: min(n, 2)] = variances[:2] / max(variances.sum(), np.finfo(np.float64).tiny)
    return coordinates * np.where(strongest < 0, -1.0, 1.0), shares


def draw_projections(
    axes: Sequence[Axes], spaces: Sequence[Float[np.ndarray, "n n"]], colors: list[str]
) -> list[Float[np.ndarray, "n 2"]]:
    """Scatter the same examples in several spaces, given by their distances, all on one scale.

    Returns:
        The coordinates in each space.
    """
    projected = [project(distances) for distances in spaces]
    reach = 1.08 * max(max(float(np.abs(xy).max()) for xy, _ in projected), 0.1)
    for ax, (xy, shares) in zip(axes, projected, strict=True):
        ax.scatter(xy[:, 0], xy[:, 1], c=colors, s=16, alpha=0.8, linewidths=0.4, edgecolors="white")
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.set_xlabel(f"1st principal axis ({shares[0]:.0%})")
        ax.set_ylabel(f"2nd ({shares[1]:.0%})")
        ax.grid(visible=True)
    return [xy for xy, _ in projected]


def projection_table(
    examples: Int[np.ndarray, " n"], labels: Int[np.ndarray, " n"], projected: Mapping[str, Float[np.ndarray, "n 2"]]
) -> pd.DataFrame:
    """What `draw_projections` shows: a row per example, its number, its cluster (1 the largest) and its coordinates."""
    axes = {
        f"{space}, {axis} axis": coordinates[:, i]
        for space, coordinates in projected.items()
        for i, axis in enumerate(("1st", "2nd"))
    }
    return pd.DataFrame({"example": examples, "cluster": labels + 1} | axes)
