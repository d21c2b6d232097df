"""What the figures of a sweep are called, which way is better, and what each of them can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ACTIVATION_TITLES = {"relu": "ReLU", "topk": "TopK", "batch_topk": "BatchTopK"}
"""The activations of a sparse autoencoder, as they are written."""


def loss_name(ne: float) -> str:
    """What autoencoders with this weight of the neuron-embedding loss are called."""
    return "standard" if ne == 0 else f"λ₂ = {ne:g}"


Kind = Literal["own", "control", "independent", "weighted", "price"]


@dataclass(frozen=True)
class Measure:
    """One column of a sweep."""

    title: str
    better: Literal[-1, 0, 1]
    """1 if higher is better, -1 if lower is, 0 if neither."""
    kind: Kind
    """`own`: what the neuron-embedding loss makes smaller; `control`: what else makes that small; `independent`: what
    it does not optimize; `weighted`: the mean over latents by activity in place of their median; `price`: what it
    costs."""
    digits: int = 3
    """Decimals that are printed."""


SWEEP_MEASURES = {
    "max_distance": Measure("maximum distance", -1, "own"),
    "mean_distance": Measure("mean distance", -1, "own"),
    "relative_distance": Measure("mean distance / that of random inputs", -1, "control"),
    "participation": Measure("hidden neurons that a latent reads", 0, "control", 1),
    "embedding_silhouette": Measure("silhouette of embeddings in two clusters", 0, "control"),
    "purity": Measure("purity", 1, "independent"),
    "same_digit": Measure("pairs of one digit", 1, "independent"),
    "monosemanticity": Measure("monosemanticity score", 1, "independent"),
    "silhouette": Measure("silhouette of images in two clusters", -1, "independent"),
    "mean_distance_weighted": Measure("mean distance, by activity", -1, "weighted"),
    "same_digit_weighted": Measure("pairs of one digit, by activity", 1, "weighted"),
    "monosemanticity_weighted": Measure("monosemanticity score, by activity", 1, "weighted"),
    "silhouette_weighted": Measure("silhouette of images, by activity", -1, "weighted"),
    "mse": Measure("MSE", -1, "price"),
    "l0": Measure("L0 / %", -1, "price", 2),
    "accuracy_loss": Measure("accuracy loss / %", -1, "price", 2),
    "dead": Measure("dead latents / %", -1, "price", 1),
    "size": Measure("examples of a latent", 0, "price", 1),
}
"""The columns that are compared, by name, in the order in which they are shown."""


def of_kind(*kinds: Kind) -> list[str]:
    """The names of the measures of some kinds."""
    return [name for name, measure in SWEEP_MEASURES.items() if measure.kind in kinds]


CELL = ["activation", "ne", "sparsity"]
"""What the autoencoders of one point of the grid, one a seed, have in common."""
