"""What the page of the hidden layer says in numbers: the MLP's accuracy, its neurons, and their controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from nbkit.method.intervals import summarize
from nbkit.mnist.images import load_mnist
from nbkit.mnist.mlp import MLP_RECIPE, accuracy, mlp_for
from nbkit.mnist.view import LatentView
from nbkit.studies.shared.estimate import Difference, Spread
from nbkit.studies.shared.paper import MLP_ACCURACY


@dataclass(frozen=True)
class MlpTraining:
    """How the MLP was trained, and its accuracy on the test images in percent."""

    recipe: Mapping[str, float]
    """Of Adadelta: `learning_rate`, `falls_by` after each epoch, `weight_decay`, `dropout`, `batch_size`, `epochs`."""
    n_seeds: int
    over_seeds: Spread
    first: float
    """Of the first seed, the MLP that the page is about."""
    paper: float
    """What the paper gives."""


def mlp_training(n_seeds: int, seed: int = 0) -> MlpTraining:
    """The MLP's recipe, and its test accuracy over seeds.

    Args:
        n_seeds: how many.
        seed: the first.

    Raises:
        NbkitError: MNIST can't be fetched; the cache folder can't be written.
    """
    mnist = load_mnist()
    seeds = range(seed, seed + n_seeds)
    found = [100 * accuracy(mlp_for(number)(mnist.test_images), mnist.test_labels) for number in seeds]
    return MlpTraining(MLP_RECIPE, n_seeds, Spread.of(pd.Series(found)), found[0], MLP_ACCURACY)


@dataclass(frozen=True)
class MedianRange:
    """A median with the range about it; `.2f` gives `0.76 (0.69 to 0.81)`."""

    median: float
    lowest: float
    highest: float

    def __format__(self, spec: str) -> str:
        return f"{self.median:{spec}} ({self.lowest:{spec}} to {self.highest:{spec}})"


@dataclass(frozen=True)
class HiddenNeurons:
    """The hidden neurons as a whole: over all of them, each figure's median and range."""

    n: int
    n_examples: MedianRange
    """Test images that activate a neuron."""
    n_clusters: MedianRange
    mean_distance: MedianRange
    purity: MedianRange
    """The share of the commonest digit among the examples."""


def hidden_neurons(view: LatentView) -> HiddenNeurons:
    """How many images activate the hidden neurons, and how their examples are spread.

    Args:
        view: the hidden layer's.
    """

    def over_neurons(name: str) -> MedianRange:
        column = view.metrics[name]
        return MedianRange(float(column.median()), float(column.min()), float(column.max()))

    names = ("n_examples", "n_clusters", "mean_distance", "purity")
    return HiddenNeurons(len(view.metrics), *map(over_neurons, names))


@dataclass(frozen=True)
class ControlDifferences:
    """Mean differences, neuron by neuron, between images with a neuron's own weights and their controls."""

    n_neurons: int
    examples_random: Difference
    """Of mean distances: its first examples minus random images."""
    examples_shuffled: Difference
    """Of mean distances: its first examples, minus the same with another neuron's weights."""
    strongest_random: Difference
    """Of mean distances: its strongest images minus random ones."""
    strongest_shuffled: Difference
    """Of mean distances: its strongest images, minus the same with another neuron's weights."""
    agreement_shuffled: Difference
    """Of its strongest images' agreement with the digits: minus that with another neuron's weights."""
    agreement_unweighted: Difference
    """Of its strongest images' agreement with the digits: minus that without weights."""


def control_differences(table: pd.DataFrame, seed: int = 0) -> ControlDifferences:
    """How far a neuron's own images and weights differ from images and weights that are not its own.

    Args:
        table: of `nbkit.studies.hidden_layer.spaces.compare_hidden_spaces`.
        seed: of the intervals' draws.
    """

    def own_minus(mine: str, images: str, weights: str, metric: str = "mean_distance") -> Difference:
        cells = table.pivot(index="neuron", columns=["images", "weights"], values=metric)
        found = summarize(cells[mine, "own"] - cells[images, weights], seed)
        return Difference.of_means(found.assign(metric=metric), metric)

    return ControlDifferences(
        n_neurons=table["neuron"].nunique(),
        examples_random=own_minus("examples", "random", "own"),
        examples_shuffled=own_minus("examples", "examples", "shuffled"),
        strongest_random=own_minus("strongest", "random", "own"),
        strongest_shuffled=own_minus("strongest", "strongest", "shuffled"),
        agreement_shuffled=own_minus("strongest", "strongest", "shuffled", "agreement"),
        agreement_unweighted=own_minus("strongest", "strongest", "none", "agreement"),
    )
