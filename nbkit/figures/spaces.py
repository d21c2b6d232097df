"""Figure 4: the same two clusters in different embedding spaces."""

from textwrap import fill

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from nbkit.atlas.examples import HasExamples
from nbkit.errors import NbkitError
from nbkit.figures.palette import cluster_color
from nbkit.figures.projection import draw_projections, projection_table
from nbkit.figures.style import WIDTH, BookFigure, set_heading, styled
from nbkit.method.clusters import FeatureClusters, cosine_distances
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.method.metrics import Polysemanticity, polysemanticity_from_distances

PANEL_WIDTH = 26
"""Characters in a line over a panel."""


@styled("Figure 4: two of a neuron's clusters as pre-MLP vectors, as neuron embeddings, and with another's weights.")
def compare_embedding_spaces(
    neuron: HasExamples, threshold: float | None = None, cluster_pair: tuple[int, int] | None = None
) -> Figure:
    """Figure 4, of a neuron: two of its clusters in three embedding spaces.

    Above the distances of all their examples, ordered by cluster, below their principal axes. The clusters are those
    of the neuron embeddings in every panel, which favors that space; the third panel is the control.

    Args:
        neuron: with at least two clusters.
        threshold: distance at which the neuron embeddings' tree is cut; None for the usual one (see `Neuron.cut`).
        cluster_pair: labels of the two clusters, 0 the largest; None takes the two largest.

    Raises:
        NbkitError: there are no such two clusters, or the threshold is outside (0, 1].
    """
    kinds = {"pre_mlp": "pre_mlp", "input": neuron.weighed, "shuffled": "shuffled"}
    names = [EMBEDDING_NAMES[name] for name in kinds]
    clusters = neuron.clusters(threshold, neuron.weighed)
    first, second = _pair(neuron, clusters, cluster_pair)
    members = np.concatenate([np.flatnonzero(clusters.labels == label) for label in (first, second)])
    labels = clusters.labels[members]
    colors = [cluster_color(label, int(clusters.sizes[label])) for label in labels]
    spaces = [cosine_distances(neuron.embeddings(kind)[members]) for kind in kinds.values()]
    highest = max(float(distances.max()) for distances in spaces)

    figure = BookFigure(figsize=(WIDTH, 4.9))
    axes = figure.subplots(2, len(spaces), height_ratios=(1.0, 1.0))
    for name, distances, matrix in zip(names, spaces, axes[0], strict=True):
        measured = polysemanticity_from_distances(distances, labels)
        image = _matrix(matrix, distances, labels, colors, highest)
        matrix.set_title(f"{fill(name, PANEL_WIDTH)}\n{_figures(measured)}", size=8.5, weight="normal")
    projected = draw_projections(axes[1], spaces, colors)
    figure.colorbar(image, ax=axes[0], label="cosine distance", aspect=14)
    sizes = clusters.sizes
    set_heading(
        figure,
        f"{neuron.title}: clusters {first + 1} ({sizes[first]} examples) and {second + 1} ({sizes[second]})",
    )
    pairs = np.triu_indices(len(members), 1)
    numbered = {"example": members[pairs[0]], "other example": members[pairs[1]]}
    columns = {f"cosine distance, {name}": space[pairs] for name, space in zip(names, spaces, strict=True)}
    figure.data = {
        "distances": pd.DataFrame(numbered | columns),
        "principal axes": projection_table(members, labels, dict(zip(names, projected, strict=True))),
    }
    return figure


def _pair(neuron: HasExamples, clusters: FeatureClusters, pair: tuple[int, int] | None) -> tuple[int, int]:
    if clusters.n_clusters < 2:
        raise NbkitError(
            f"{neuron.title} has one cluster at a threshold of {clusters.threshold:g}, and two are compared: "
            "lower the threshold or choose another neuron."
        )
    first, second = pair or (0, 1)
    if first == second or not {first, second} <= set(range(clusters.n_clusters)):
        raise NbkitError(f"{pair} are not two different clusters of 0 to {clusters.n_clusters - 1}.")
    return first, second


def _matrix(
    ax: Axes, distances: Float[np.ndarray, "n n"], labels: Int[np.ndarray, " n"], colors: list[str], highest: float
) -> AxesImage:
    n, edge = len(labels), int((labels == labels[0]).sum())
    image = ax.imshow(distances, cmap="viridis", vmin=0.0, vmax=highest, interpolation="nearest")
    ax.axhline(edge - 0.5, color="white", linewidth=0.8)
    ax.axvline(edge - 0.5, color="white", linewidth=0.8)
    ax.set_xticks([(edge - 1) / 2, (edge + n - 1) / 2], [f"{labels[0] + 1}", f"{labels[-1] + 1}"], weight="bold")
    for tick, color in zip(ax.get_xticklabels(), (colors[0], colors[-1]), strict=True):
        tick.set_color(color)
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("examples by cluster")
    return image


def _figures(measured: Polysemanticity) -> str:
    intra = "–" if np.isnan(measured.intra_cluster) else f"{measured.intra_cluster:.2f}"
    return f"intra {intra}, inter {measured.inter_cluster:.2f}"
