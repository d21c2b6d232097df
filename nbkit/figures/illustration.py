"""Figure 1: from pre-MLP vectors to neuron embeddings, drawn from a real neuron."""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbkit.atlas.examples import HasExamples
from nbkit.atlas.snippets import display_token
from nbkit.figures.fonts import families_of
from nbkit.figures.palette import QUIET, cluster_color
from nbkit.figures.projection import draw_projections, projection_table
from nbkit.figures.style import WIDTH, BookFigure, set_heading, styled
from nbkit.figures.text import clip, drawable
from nbkit.method.clusters import FeatureClusters, cosine_distances

STRIP_EXAMPLES = 6  # examples in the strips
STRIP_DIMENSIONS = 48  # dimensions in the strips
LABEL_ROOM, LABEL_SIZE = 62.0, 8.0  # points


@styled("Figure 1: the vectors a neuron reads, times its weights, are its embeddings, and those are what clusters.")
def embedding_illustration(neuron: HasExamples, threshold: float | None = None, kind: str | None = None) -> Figure:
    """Figure 1, of a neuron: how its embeddings come about.

    Above, two examples each of up to three clusters in the dimensions that weigh most in their embeddings. Below,
    all examples before and after the multiplication, in the colors of the clusters that the embeddings form.

    Args:
        neuron: with at least one example.
        threshold: distance at which the embeddings' tree is cut; None for the kind's own (see `Neuron.cut`).
        kind: of embedding, a product with weights; None is `Neuron.weighed`.

    Raises:
        NbkitError: the neuron has no examples, the threshold is outside (0, 1], or there is no such kind.
    """
    kind = neuron.weighed if kind is None else kind
    clusters = neuron.clusters(threshold, kind)
    vectors = neuron.pre_mlp.astype(np.float64)
    embedded = neuron.embeddings(kind).astype(np.float64)
    colors = [cluster_color(label, int(clusters.sizes[label])) for label in clusters.labels]
    rows = _rows(clusters)
    dims = np.sort(np.argsort(-np.abs(embedded[rows]).mean(axis=0), kind="stable")[:STRIP_DIMENSIONS])
    # What each vector was multiplied by: the weights, or the gradient where that depends on the example.
    factors = np.divide(embedded, vectors, out=np.zeros_like(embedded), where=vectors != 0)[np.ix_(rows, dims)]
    same = np.allclose(factors, factors[0], rtol=1e-3, atol=1e-6 * np.abs(factors).max())

    figure = BookFigure(figsize=(WIDTH, 4.9))
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.0, 1.55), squeeze=False)[:, 0]
    left, middle, right = upper.subplots(1, 3)
    _strip(left, vectors[np.ix_(rows, dims)], "pre-MLP vectors")
    _strip(middle, factors[:1] if same else factors, "× input weights" if same else "× gradients")
    _strip(right, embedded[np.ix_(rows, dims)], "= neuron embeddings")
    for ax in (middle, right):
        ax.set_yticks([])
    names = [clip(drawable(neuron.snippets[i].tokens[neuron.snippets[i].key]), LABEL_ROOM, LABEL_SIZE) for i in rows]
    left.set_yticks(range(len(rows)), names, size=LABEL_SIZE, parse_math=False)
    for label, example in zip(left.get_yticklabels(), rows, strict=True):
        label.set_color(colors[example])
        label.set_family(families_of(label.get_text()))
    middle.set_xlabel(f"the {len(dims)} of {vectors.shape[1]} dimensions that weigh most, each panel to its own scale")
    set_heading(figure, f"{neuron.title}: its weights select what it sees of its input")

    before, after = lower.subplots(1, 2)
    projected = draw_projections((before, after), (cosine_distances(vectors), clusters.distances), colors)
    before.set_title("pre-MLP vectors")
    after.set_title("neuron embeddings")
    spaces = dict(zip(("pre-MLP vectors", "neuron embeddings"), projected, strict=True))
    figure.data = {
        "strips": pd.DataFrame(
            {
                "example": np.repeat(rows, len(dims)),
                "key token": np.repeat([display_token(neuron.snippets[i].key_token) for i in rows], len(dims)),
                "dimension": np.tile(dims, len(rows)),
                "pre-MLP vector": vectors[np.ix_(rows, dims)].ravel(),
                "input weight" if same else "gradient": factors.ravel(),
                "neuron embedding": embedded[np.ix_(rows, dims)].ravel(),
            }
        ),
        "principal axes": projection_table(np.arange(len(vectors)), clusters.labels, spaces),
    }
    return figure


def _rows(clusters: FeatureClusters) -> Int[np.ndarray, " rows"]:
    """Up to six examples: two of each of the three largest clusters, more of each where there are fewer clusters."""
    n_shown = min(clusters.n_clusters, 3)
    each = STRIP_EXAMPLES // n_shown
    return np.concatenate([np.flatnonzero(clusters.labels == label)[:each] for label in range(n_shown)])


def _strip(ax: Axes, values: Float[np.ndarray, "rows dims"], title: str) -> None:
    reach = max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    ax.imshow(values, aspect="auto", cmap="PiYG", vmin=-reach, vmax=reach, interpolation="nearest")
    ax.set_title(title)
    ax.set_xticks([])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set(visible=True, color=QUIET, linewidth=0.5)
