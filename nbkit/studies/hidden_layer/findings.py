"""The MLP and its hidden neurons in words and tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.method.intervals import summarize
from nbkit.mnist.images import load_mnist
from nbkit.mnist.mlp import RECIPE, accuracy, mlp_for
from nbkit.mnist.view import LatentView
from nbkit.studies.embedding_spaces.findings import phrase
from nbkit.studies.hidden_layer.spaces import IMAGES, WEIGHTS
from nbkit.studies.shared.text import Text

PAPER_ACCURACY = 94.0
IMAGE_NAMES = {"examples": "its first examples", "random": "random images", "strongest": "its strongest images"}
WEIGHT_NAMES = {"own": "own weights", "shuffled": "… another neuron's weights (control)", "none": "… no weights"}
TITLES = {
    "mean_distance": "mean distance",
    "n_clusters": "clusters",
    "silhouette": "silhouette",
    "agreement": "agreement with digits",
    "purity": "commonest digit",
}


def mlp_accuracy(n_seeds: int, seed: int = 0) -> Text:
    """How the MLP was trained, and its test accuracy over seeds beside the paper's."""
    mnist = load_mnist()
    seeds = range(seed, seed + n_seeds)
    found = [100 * accuracy(mlp_for(number)(mnist.test_images), mnist.test_labels) for number in seeds]
    if n_seeds == 1:
        told = f"over 1 seed: **{found[0]:.2f}%**"
    else:
        told = (
            f"over {n_seeds} seeds: **{np.mean(found):.2f} ± {np.std(found, ddof=1):.2f}%** (mean ± standard deviation)"
        )
    return Text(
        f"Adadelta with learning rate {RECIPE['learning_rate']:g}, times {RECIPE['falls_by']:g} after each epoch, and "
        f"L2 decay {RECIPE['weight_decay']:g}; dropout of {RECIPE['dropout']:.0%} of the hidden activations; batches "
        f"of {RECIPE['batch_size']:g}, {RECIPE['epochs']:g} epochs. Test accuracy {told}; the paper's is "
        f"{PAPER_ACCURACY:.1f}%. The MLP of this page, seed {seed}: {found[0]:.2f}%."
    )


def hidden_neurons(view: LatentView) -> Text:
    """How many images activate the hidden neurons, and how their examples are spread, as a sentence."""
    t = view.metrics

    def spread(name: str, form: str) -> str:
        return f"{t[name].median():{form}} ({t[name].min():{form}} to {t[name].max():{form}})"

    return Text(
        f"Median over the {len(t)} neurons, and range: {spread('n_examples', ',.0f')} test images activate a neuron. "
        f"Its examples fall into {spread('n_clusters', '.0f')} feature clusters, their mean distance is "
        f"{spread('mean_distance', '.2f')}, and {spread('purity', '.0%')} of them show the commonest digit."
    )


def hidden_spaces_table(table: pd.DataFrame) -> pd.DataFrame:
    """`compare_hidden_spaces` for the eye: medians over the neurons, a row per images and weights."""
    medians = table.groupby(["images", "weights"])[list(TITLES)].median()
    names, rows = [], []
    for images in IMAGES:
        for weights in WEIGHTS:
            own = weights == "own"
            names.append(f"{IMAGE_NAMES[images]}, {WEIGHT_NAMES[weights]}" if own else WEIGHT_NAMES[weights])
            found = medians.loc[(images, weights), :].to_dict()
            cells = {title: f"{found[name]:.2f}" for name, title in TITLES.items()}
            cells[TITLES["n_clusters"]] = f"{found['n_clusters']:.0f}"
            rows.append(cells if own else cells | {TITLES["purity"]: ""})
    return pd.DataFrame(rows, index=names)


def what_polysemantic_means(table: pd.DataFrame, seed: int = 0) -> Text:
    """What the comparison supports, neuron by neuron, for the first examples and for the strongest images."""

    def own(of: str, images: str, weights: str, metric: str = "mean_distance") -> str:
        cells = table.pivot(index="neuron", columns=["images", "weights"], values=metric)
        difference = summarize(cells[of, "own"] - cells[images, weights], seed)
        return phrase(difference.assign(metric=metric), metric)

    agreement = [own("strongest", "strongest", weights, "agreement") for weights in ("shuffled", "none")]
    return Text(
        f"Differences neuron by neuron, over the {table['neuron'].nunique()} neurons:\n\n"
        f"- **First examples.** Their mean distance is {own('examples', 'random', 'own')} that of random images, and "
        f"{own('examples', 'examples', 'shuffled')} that of the same images with another neuron's weights.\n"
        f"- **Strongest images.** Their mean distance is {own('strongest', 'random', 'own')} that of random images, "
        f"and {own('strongest', 'strongest', 'shuffled')} that of the same images with another neuron's weights.\n"
        f"- **Digits.** For the strongest images the agreement of ten clusters with the digits is {agreement[0]} that "
        f"with another neuron's weights, and {agreement[1]} that without weights."
    )
