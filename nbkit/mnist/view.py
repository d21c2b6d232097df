"""What the latent explorer shows of a model, as plain arrays: its units, and the classifier that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from nbkit.errors import NbkitError
from nbkit.mnist.images import CLASSES, MEAN, PIXELS, STD


@dataclass(frozen=True, eq=False)
class MlpWeights:
    """A classifier of images with one hidden layer: relu(((pixels - mean) / std) @ w_in + b_in) @ w_out + b_out."""

    w_in: Float[np.ndarray, "784 d"]
    b_in: Float[np.ndarray, " d"]
    w_out: Float[np.ndarray, "d 10"]
    b_out: Float[np.ndarray, " 10"]
    mean: float = MEAN
    """Taken from each pixel in [0, 1] before it is read."""
    std: float = STD

    def __post_init__(self) -> None:
        d = self.w_in.shape[-1]
        for name, shape in {"w_in": (PIXELS, d), "b_in": (d,), "w_out": (d, CLASSES), "b_out": (CLASSES,)}.items():
            check_shape(f"the MLP's {name}", getattr(self, name), shape)

    def on_pixels(self) -> tuple[Float[np.ndarray, "784 d"], Float[np.ndarray, " d"]]:
        """Weights and bias of the hidden layer for pixels in [0, 1] as they are."""
        w = self.w_in.astype(np.float64) / self.std
        return w, self.b_in - self.mean * w.sum(axis=0)


UNCLUSTERED = -1


@dataclass(frozen=True, eq=False)
class LatentView:
    """The n units of one model as arrays: the hidden layer's neurons, or a sparse autoencoder's latents."""

    name: str
    """What the reader chooses it by, such as "Standard SAE"."""
    metrics: pd.DataFrame
    """One row a unit; every column of numbers or truth values can be sorted by. NaN where undefined."""
    activation_maps: Float[np.ndarray, "n 784"]
    """What each pixel does to the unit."""
    logit_effects: Float[np.ndarray, "n 10"]
    """What the unit does to the logit of each digit."""
    curves: Float[np.ndarray, "n k"]
    """The share of the unit's total activation in the first i / (k-1) of the inputs that activate it, the strongest
    first (see `activation_curve`); NaN for a unit that none does."""
    examples: Sequence[Int[np.ndarray, " size"]]
    """Of each unit its dataset examples, as places in the images."""
    clusters: Sequence[Int[np.ndarray, " size"]]
    """The feature cluster of each example; 0 is the largest. `UNCLUSTERED` if their embeddings have no direction."""
    encoder: tuple[Float[np.ndarray, "d n"], Float[np.ndarray, " n"]] | None = None
    """Weights and bias: relu(hidden @ weights + bias) are the activations (an SAE's b_dec taken into the bias).
    None: the units are the hidden neurons."""
    unit: Literal["latent", "neuron"] = "latent"

    def __post_init__(self) -> None:
        n, where = len(self.metrics), f"the view {self.name!r}"
        if n == 0:
            raise NbkitError(f"{where} has no units: its table of metrics has no rows")
        check_shape(f"the activation maps of {where}", self.activation_maps, (n, PIXELS))
        check_shape(f"the logit effects of {where}", self.logit_effects, (n, CLASSES))
        if self.curves.ndim != 2 or len(self.curves) != n or self.curves.shape[1] < 2:
            raise NbkitError(f"the curves of {where} have shape {self.curves.shape}: they must have ({n}, k), k >= 2")
        if [len(row) for row in self.examples] != [len(row) for row in self.clusters] or len(self.examples) != n:
            raise NbkitError(
                f"{where} must have its examples, and as many clusters as examples, for each of its {n} units"
            )
        if self.encoder:
            w, b = self.encoder
            check_shape(f"the encoder's weights of {where}", w, (w.shape[0], n))
            check_shape(f"the encoder's bias of {where}", b, (n,))

    @property
    def logit_ranges(self) -> pd.Series[float]:
        """How far each unit can move one logit against another: its largest activation in training times the range of
        its logit effects."""
        reach: pd.Series[float] = self.metrics["max_activation"] * np.ptp(self.logit_effects, axis=1)
        return reach


def activation_curve(activations: Float[np.ndarray, "n_inputs n"], points: int = 41) -> Float[np.ndarray, "n points"]:
    """The cumulative activation curve of each of n units.

    Value i is the share of the unit's total activation that lies in the first i / (points - 1) of the inputs that
    activate it, the strongest first; between two inputs, linear.

    Args:
        activations: at least 0.
        points: of the curve, at least 2.

    Returns:
        (n, points), from 0 to 1, concave; NaN for a unit that no input activates.
    """
    curves = np.full((activations.shape[1], points), np.nan)
    at = np.linspace(0, 1, points)
    for curve, column in zip(curves, activations.T, strict=True):
        active = np.sort(column[column > 0])[::-1].astype(np.float64)
        if len(active):
            total = np.concatenate([[0.0], active.cumsum()])
            curve[:] = np.interp(at, np.linspace(0, 1, len(total)), total / total[-1])
    return curves


def check_shape(what: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raises `NbkitError` unless an array has this shape and is finite."""
    if array.shape != shape:
        raise NbkitError(f"{what} must have shape {shape}, not {array.shape}")
    if not np.isfinite(array).all():
        raise NbkitError(f"{what} must be finite: they hold NaN or infinity")
