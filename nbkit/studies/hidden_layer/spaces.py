"""How alike the images of a hidden neuron are to it, held against images and weights that are not its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Int

from nbkit.method.checks import have_direction
from nbkit.method.clusters import FeatureClusters, feature_clusters
from nbkit.method.controls import other_units, random_inputs, strongest_inputs
from nbkit.method.metrics import adjusted_rand_index, polysemanticity_from_distances
from nbkit.mnist.hidden import Hidden
from nbkit.mnist.images import CLASSES
from nbkit.mnist.view import UNCLUSTERED, LatentView
from nbkit.sae.evaluation import HIDDEN_CUT
from nbkit.studies.shared.table import BookTable

IMAGE_KINDS = {
    "examples": "first 100 examples",
    "random": "100 random images",
    "strongest": "100 strongest images",
}
"""A neuron's examples, the first 100 that activate it; 100 test images drawn at random, for all neurons the same; the
100 test images that activate it most. With their titles."""
WEIGHT_KINDS = {"own": "own weights", "shuffled": "another neuron's weights (control)", "none": "no weights"}
"""The neuron's own input weights, those of another neuron, and all 1: the image as the neuron receives it. With their
titles."""
SPACE_TITLES = {
    "mean_distance": "mean distance",
    "n_clusters": "feature clusters",
    "silhouette": "silhouette",
    "agreement": "agreement with digits",
    "purity": "share of the commonest digit",
}
"""Metrics of a kind of images with a kind of weights, as tables and figures call them."""


def compare_hidden_spaces(
    hidden: Hidden, view: LatentView, threshold: float = HIDDEN_CUT, seed: int = 0
) -> pd.DataFrame:
    """Every hidden neuron's images, in all combinations of `IMAGE_KINDS` and `WEIGHT_KINDS`.

    Args:
        hidden: the MLP.
        view: its hidden layer's.
        threshold: distance in (0, 1] at which the trees are cut.
        seed: of the random images and of the neurons whose weights are taken.

    Returns:
        One row per neuron, images and weights: `mean_distance`, `max_distance`, and `n_clusters` at the threshold;
        `silhouette`, and `agreement` of clusters and digits (adjusted Rand index), of the tree cut into ten clusters,
        as many as there are digits, whatever the scale of the distances; and `purity`, the share of the commonest
        digit, in which weights play no part. A neuron that no two images activate has no rows, and none of one kind of
        images and weights whose embeddings have no direction.

    Raises:
        NbkitError: the threshold is no distance.
    """
    images = hidden.test_images.double().numpy()
    labels, activations = hidden.test_labels.numpy(), hidden.test.numpy()
    w_in = hidden.mlp.w_enc.double().numpy()
    other = other_units(w_in.shape[1], seed, have_direction(w_in.T))
    drawn = random_inputs(len(images), seed=seed)
    rows = []
    for neuron in range(w_in.shape[1]):
        if len(view.examples[neuron]) < 2:
            continue
        places = (view.examples[neuron], drawn, strongest_inputs(activations[:, neuron]))
        weights = (w_in[:, neuron], w_in[:, other[neuron]], np.ones(len(w_in)))
        for of, chosen in zip(IMAGE_KINDS, places, strict=True):
            for by, w in zip(WEIGHT_KINDS, weights, strict=True):
                embeddings = images[chosen] * w
                if not have_direction(embeddings).all():
                    continue
                clusters = feature_clusters(embeddings, threshold)
                row = {"neuron": neuron, "images": of, "weights": by}
                rows.append(row | _figures(clusters) | _about_digits(clusters, labels[chosen]))
    return pd.DataFrame(rows)[["neuron", "images", "weights", "max_distance", *SPACE_TITLES]]


def hidden_spaces_table(table: pd.DataFrame) -> BookTable:
    """`compare_hidden_spaces` for the eye: medians over the neurons, a row each for the weights."""
    order = [(of, by) for of in IMAGE_KINDS for by in WEIGHT_KINDS]
    medians = table.groupby(["images", "weights"])[list(SPACE_TITLES)].median().loc[order]
    cells = medians.astype(object)
    cells["purity"] = cells["purity"].where(np.array([by == "own" for _, by in order]), "")  # the same with any weights
    cells.index = pd.MultiIndex.from_tuples([(IMAGE_KINDS[of], WEIGHT_KINDS[by]) for of, by in order])
    return BookTable("hidden-spaces", cells.rename(columns=SPACE_TITLES), {SPACE_TITLES["n_clusters"]: 0})


def strongest_images(hidden: Hidden, view: LatentView, threshold: float = HIDDEN_CUT) -> LatentView:
    """The hidden layer with the 100 test images that activate a neuron most as its examples, in data-set order.

    The metrics of distances, clusters and digits are those of these images.

    Args:
        hidden: the MLP.
        view: its hidden layer's.
        threshold: distance in (0, 1] at which the trees are cut.

    Raises:
        NbkitError: the threshold is no distance.
    """
    images, labels = hidden.test_images.double(), hidden.test_labels.numpy()
    examples = [strongest_inputs(activations) for activations in hidden.test.numpy().T]
    clusters: list[Int[np.ndarray, " size"]] = []
    rows: list[dict[str, float]] = []
    for places, w in zip(examples, hidden.mlp.w_enc.double().T, strict=True):
        if len(places) == 0:
            clusters.append(places)
            rows.append({})
            continue
        embeddings, purity = (images[places] * w).numpy(), {"purity": _purity(labels[places])}
        if not have_direction(embeddings).all():
            clusters.append(np.full(len(places), UNCLUSTERED))
            rows.append(purity)
            continue
        found = feature_clusters(embeddings, threshold)
        clusters.append(found.labels)
        rows.append(_figures(found) | purity)
    return replace(
        view,
        name=f"{view.name}, strongest images",
        metrics=view.metrics.assign(**pd.DataFrame(rows)),
        examples=examples,
        clusters=clusters,
    )


def _figures(clusters: FeatureClusters) -> dict[str, float]:
    return polysemanticity_from_distances(clusters.distances, clusters.labels)._asdict()


def _about_digits(clusters: FeatureClusters, labels: Int[np.ndarray, " n"]) -> dict[str, float]:
    ten = clusters.cut_to(min(CLASSES, len(labels))).labels
    return {
        "silhouette": polysemanticity_from_distances(clusters.distances, ten).silhouette,
        "agreement": adjusted_rand_index(ten, labels),
        "purity": _purity(labels),
    }


def _purity(labels: Int[np.ndarray, " n"]) -> float:
    return float(np.bincount(labels).max() / len(labels))
