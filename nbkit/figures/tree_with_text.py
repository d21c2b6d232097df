"""A page with a cluster tree on the left and, level with each cluster's leaves, examples of it as text or images."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbkit.atlas.seen import SeenImages
from nbkit.atlas.snippets import Snippet, display_token
from nbkit.figures.palette import INK, QUIET
from nbkit.figures.seen_images import ROW, draw_images
from nbkit.figures.style import WIDTH, BookFigure
from nbkit.figures.text import draw_snippet
from nbkit.figures.tree import draw_tree, leaf_order
from nbkit.method.clusters import FeatureClusters

# All lengths are in points.
PAGE_POINTS = WIDTH * 72
TREE_LEFT, TREE_RIGHT = 14.0, 142.0
HEADING_LEFT, TEXT_LEFT, TEXT_RIGHT = 151.0, 196.0, PAGE_POINTS - 8.0
KEY_LEFT = TEXT_LEFT + 0.56 * (TEXT_RIGHT - TEXT_LEFT)
TOP, BOTTOM = 46.0, 38.0
LINE, GAP = 13.0, 9.0
SMALL = 7.5  # font size


@dataclass(frozen=True)
class _Block:
    """The height that one cluster takes."""

    label: int
    top: float
    bottom: float


def tree_with_text(
    snippets: Sequence[Snippet],
    clusters: FeatureClusters,
    n_with_text: int,
    colors: list[str],
    title: str,
    examples_per_cluster: int,
    seen: SeenImages | None,
) -> Figure:
    """Draw the page. A cluster's leaves are spread over the height of its text, so no lines need to connect them.

    Args:
        snippets: the n examples.
        clusters: their tree and labels.
        n_with_text: so many of the largest clusters get text.
        colors: the color of each cluster.
        title: of the page.
        examples_per_cluster: lines of text a cluster, or images in a row; the medoid first, then the first ones in
            corpus order.
        seen: the images that the examples are, if they are images.
    """
    lines = (ROW, 1) if seen else (LINE, examples_per_cluster)
    leaf_y, blocks = _places(clusters, n_with_text, *lines)
    height = blocks[-1].bottom + BOTTOM
    figure = BookFigure(figsize=(WIDTH, height / 72))
    figure.set_layout_engine("none")
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, PAGE_POINTS), ylim=(height, 0))
    page.set_axis_off()
    figure.heading = title
    page.text(TREE_LEFT, 16, title, size=9.5, weight="bold", va="baseline")

    reach = max(1.04 * clusters.linkage[:, 2].max(initial=0.0), 1.2 * clusters.threshold)
    tree_box = (
        TREE_LEFT / PAGE_POINTS,
        BOTTOM / height,
        (TREE_RIGHT - TREE_LEFT) / PAGE_POINTS,
        1 - (TOP + BOTTOM) / height,
    )
    tree = figure.add_axes(tree_box, xlim=(reach, 0), ylim=(height - BOTTOM, TOP), yticks=[])
    tree.spines["left"].set_visible(False)
    tree.set_xlabel("average cosine distance")
    tree.axvline(clusters.threshold, color=INK, linestyle=(0, (4, 3)), linewidth=0.9)
    tree.annotate(
        f"cut at {clusters.threshold:.2g}",
        (clusters.threshold, TOP),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        size=SMALL,
    )
    draw_tree(tree, clusters, leaf_y, colors)

    told = "outlined, and enlarged beside it: what the unit sees"
    higher = "higher" if snippets[0].sign == "positive" else "stronger (blue: below zero)"
    if seen is None:
        told = f"more color: {higher} activation; outlined: key token"
    if seen is None or seen.boxes is not None:
        page.text(TEXT_LEFT, TOP - 6, told, size=SMALL, color=QUIET)
    highest = max(max(max(snippet.strengths) for snippet in snippets), np.finfo(np.float64).tiny)
    for block in blocks:
        if block.label >= n_with_text:
            continue
        color, middle = colors[block.label], (block.top + block.bottom) / 2
        page.plot([TREE_RIGHT + 3] * 2, [block.top, block.bottom], color=color, linewidth=2.5, solid_capstyle="butt")
        _draw_heading(page, block.label, int(clusters.sizes[block.label]), middle, color)
        members = _examples(clusters, block.label, examples_per_cluster)
        if seen is not None:
            draw_images(page, [snippets[i] for i in members], seen, TEXT_LEFT, TEXT_RIGHT, middle - ROW / 2)
            continue
        first = middle - LINE * (len(members) - 1) / 2 + 2.7  # baseline of a line centered on its place
        for i, example in enumerate(members):
            columns = TEXT_LEFT, KEY_LEFT, TEXT_RIGHT
            draw_snippet(page, snippets[example], first + i * LINE, columns, highest, color, SMALL)
    examples = _example_table(snippets, clusters)
    if seen is not None:
        examples = examples.drop(columns="text").rename(columns={"key token": "label"})
        examples = examples.rename(columns={"activation on the key token": "activation", "context": "image"})
    figure.data = {"examples": examples, "tree": _tree_table(clusters)}
    return figure


def _example_table(snippets: Sequence[Snippet], clusters: FeatureClusters) -> pd.DataFrame:
    """All examples from the top to the bottom of the tree; in the text brackets hold the key token."""
    order = leaf_order(clusters)
    shown = [snippets[example] for example in order]
    return pd.DataFrame(
        {
            "example": order,
            "cluster": clusters.labels[order] + 1,
            "context": [snippet.context for snippet in shown],
            "position": [snippet.position for snippet in shown],
            "activation on the key token": [snippet.activations[snippet.key] for snippet in shown],
            "key token": [display_token(snippet.key_token) for snippet in shown],
            "text": [display_token(str(snippet)) for snippet in shown],
        }
    )


def _tree_table(clusters: FeatureClusters) -> pd.DataFrame:
    """A row a branch, numbered on from the examples: the two that it joins, how far apart they are, what it holds."""
    n, linkage = len(clusters.labels), clusters.linkage
    return pd.DataFrame(
        {
            "branch": np.arange(n, n + len(linkage)),
            "joins": linkage[:, 0].astype(np.int64),
            "and": linkage[:, 1].astype(np.int64),
            "average cosine distance": linkage[:, 2],
            "examples": linkage[:, 3].astype(np.int64),
        }
    )


def _places(
    clusters: FeatureClusters, n_with_text: int, line: float, most_lines: int
) -> tuple[Float[np.ndarray, " n"], list[_Block]]:
    order = leaf_order(clusters)
    n = len(order)
    pitch = float(np.clip(300 / n, 2.0, 7.0))  # between leaves, where no text asks for more
    leaf_y, blocks, y = np.empty(n), [], TOP + 4.0
    for label, run in groupby(order.tolist(), key=lambda example: int(clusters.labels[example])):
        leaves = list(run)
        height = pitch * len(leaves)
        if label < n_with_text:
            height = max(height, line * min(len(leaves), most_lines))
        leaf_y[leaves] = y + height * (np.arange(len(leaves)) + 0.5) / len(leaves)
        blocks.append(_Block(label, y, y + height))
        y += height + (GAP if label < n_with_text else 1.0)
    return leaf_y, blocks


def _examples(clusters: FeatureClusters, label: int, most: int) -> list[int]:
    medoid = int(clusters.medoids[label])
    others = [example for example in np.flatnonzero(clusters.labels == label).tolist() if example != medoid]
    return [medoid, *others][:most]


def _draw_heading(page: Axes, label: int, size: int, y: float, color: str) -> None:
    """The cluster's number, white on its color, and how many examples it has."""
    number = page.annotate(
        f"{label + 1}",
        (HEADING_LEFT + 3, y),
        size=SMALL,
        weight="bold",
        color="white",
        va="center_baseline",
        bbox={"boxstyle": "round,pad=0.25", "facecolor": color, "linewidth": 0},
    )
    page.annotate(
        f"×{size}", (1, 0), xycoords=number, xytext=(5, 0), textcoords="offset points", size=SMALL, color=QUIET
    )
