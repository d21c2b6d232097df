"""A cluster tree drawn sideways: leaves on the right, the distance of each merge to the left."""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from nbkit.figures.palette import QUIET
from nbkit.method.clusters import FeatureClusters


def leaf_order(clusters: FeatureClusters) -> Int[np.ndarray, " n"]:
    """The examples from top to bottom so that no branches cross, the side with the larger cluster on top."""
    n = len(clusters.labels)
    smallest = clusters.labels.tolist()  # per node, the label of the largest cluster in it
    for left, right in clusters.linkage[:, :2].astype(int):
        smallest.append(min(smallest[left], smallest[right]))
    order: list[int] = []
    pending = [2 * n - 2]
    while pending:
        node = pending.pop()
        if node < n:
            order.append(node)
        else:
            left, right = clusters.linkage[node - n, :2].astype(int)
            pending += sorted((left, right), key=lambda child: -smallest[child])  # the last is drawn first
    return np.array(order)


def draw_tree(ax: Axes, clusters: FeatureClusters, leaf_y: Float[np.ndarray, " n"], colors: list[str]) -> None:
    """Draw the merges below the threshold in their cluster's color, the others in gray.

    Args:
        ax: x is the distance.
        clusters: tree and labels.
        leaf_y: (n,) the place of each example.
        colors: the color of each cluster.
    """
    n = len(clusters.labels)
    y = leaf_y.tolist()
    height = [0.0] * n
    label = clusters.labels.tolist()  # per node, its cluster, -1 above the cut
    lines, line_colors = [], []
    for left, right, at, _ in clusters.linkage.tolist():
        a, b = int(left), int(right)
        label.append(label[a] if label[a] == label[b] else -1)
        for child in (a, b):
            lines.append([(height[child], y[child]), (at, y[child])])
            line_colors.append(QUIET if label[child] < 0 else colors[label[child]])
        lines.append([(at, y[a]), (at, y[b])])
        line_colors.append(QUIET if label[-1] < 0 else colors[label[-1]])
        y.append((y[a] + y[b]) / 2)
        height.append(at)
    if n == 1:
        lines, line_colors = [[(0.0, y[0]), (clusters.threshold, y[0])]], [colors[0]]
    ax.add_collection(LineCollection(lines, colors=line_colors, linewidths=0.9, capstyle="round"), autolim=False)
