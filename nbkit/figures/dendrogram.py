"""Figures 2 and 3: a neuron's cluster tree beside the text of its examples."""

from matplotlib.figure import Figure

from nbkit.atlas.examples import HasExamples
from nbkit.figures.palette import ALONE, CLUSTER_COLORS, cluster_color
from nbkit.figures.style import count, styled
from nbkit.figures.tree_with_text import tree_with_text

MOST_COLORED = len(CLUSTER_COLORS)  # with text and a color of their own


@styled("Figure 2: the tree of a neuron's examples, its clusters by color and number, and examples of each as text.")
def cluster_dendrogram(neuron: HasExamples, threshold: float | None = None, examples_per_cluster: int = 3) -> Figure:
    """Figure 2, of a neuron: the tree of its examples, cut into clusters.

    A branch stands at the average distance between its two sides. The background of a token is the neuron's
    activation on it, in blue if it is below zero and that was looked for; the outlined token is the key token, five
    tokens after it are shown. Examples that are images stand in a row, what the unit sees outlined and enlarged. A
    cluster's first example is its medoid, the others are its first in corpus order. The
    ten largest clusters have text and a color.

    Args:
        neuron: with examples.
        threshold: distance at which the tree is cut; None for the neuron's own (see `Neuron.cut`).
        examples_per_cluster: at most.

    Raises:
        NbkitError: the neuron has no examples, or the threshold is outside (0, 1].
    """
    clusters = neuron.clusters(threshold)
    n, sizes = len(clusters.labels), clusters.sizes.tolist()
    title = f"{neuron.title}: {count(n, 'example')} in {count(len(sizes), 'cluster')}"
    if len(sizes) > MOST_COLORED:
        title += f", {'images' if neuron.seen else 'text'} of the {MOST_COLORED} largest"
    colors = [cluster_color(label, size) if label < MOST_COLORED else ALONE for label, size in enumerate(sizes)]
    return tree_with_text(neuron.snippets, clusters, MOST_COLORED, colors, title, examples_per_cluster, neuron.seen)


@styled("Figure 3: a common primary behavior and a rare secondary one, the two largest clusters of a neuron.")
def rare_behavior(neuron: HasExamples, threshold: float | None = None, examples_per_cluster: int = 4) -> Figure:
    """Figure 3, of a neuron: the tree of its examples, with the two largest clusters alone in color.

    Examples of further clusters stay gray and without text.

    Args:
        neuron, threshold, examples_per_cluster: see `cluster_dendrogram`.

    Raises:
        NbkitError: the neuron has no examples, or the threshold is outside (0, 1].
    """
    clusters = neuron.clusters(threshold)
    n, sizes = len(clusters.labels), clusters.sizes.tolist()
    if len(sizes) == 1:
        found = f"{count(n, 'example')} in one cluster, no second behavior"
    else:
        found = f"a primary behavior ({sizes[0]} of {n} examples), a secondary one ({sizes[1]})"
    colors = [cluster_color(label, 2) if label < 2 else ALONE for label in range(len(sizes))]
    title = f"{neuron.title}: {found}"
    return tree_with_text(neuron.snippets, clusters, 2, colors, title, examples_per_cluster, neuron.seen)
