"""Tasks "images" and "corner patches": merged units of networks on MNIST, and hidden units that also see a corner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole
from nbkit.method.truth.dominant import FEWEST_OF_A_BEHAVIOR, dominant_terms, of_behaviors
from nbkit.method.truth.merged import merged_units
from nbkit.method.truth.unit import Background, LabeledUnit, Unit
from nbkit.mnist.images import PIXELS, SIDE
from nbkit.mnist.mlp import MnistMLP
from nbkit.studies.ground_truth.image_layers import ImageLayer, mlp_layer


def merged_image_units(
    layers: Sequence[ImageLayer],
    terms: Sequence[int] = (2, 3, 5),
    n_examples: int = 100,
    balance: float = 1.0,
    seed: int = 0,
    most: int | None = None,
) -> list[LabeledUnit]:
    """Merge units of each layer, see `merged_units`. A layer with too few units for a number of terms sits it out.

    Raises:
        NbkitError: an option is out of range.
    """
    units = []
    for layer in layers:
        background = Background(np.concatenate(layer.examples))
        for number in terms:
            if sum(len(each) > 0 for each in layer.examples) >= 2 * number:
                units += merged_units(
                    layer.weights,
                    layer.examples,
                    layer.name,
                    number,
                    n_examples,
                    balance,
                    seed,
                    task="images",
                    background=background,
                    most=most,
                )
    return units


def cornered_units(
    mlp: MnistMLP,
    images: Float[Tensor, "n 784"],
    name: str,
    side: int = 4,
    n_examples: int = 100,
    seed: int = 0,
    most: int | None = None,
    background: Background | None = None,
) -> list[LabeledUnit]:
    """Hidden units of an MLP that also answer to a checkered corner of the image.

    To a unit's weights w comes a detector p, ones on the ink of a checkered corner and minus ones on its paper, so that
    a corner of paper alone adds nothing, times a factor with which the pattern pushes the unit as its own examples do
    on average. Half of the examples are the unit's own, half any images with the pattern pasted in; the label is the
    larger of h · w and the detector's part. Each unit has one of the four corners, the unit whose weights are its
    control another.

    Args:
        mlp: whose hidden units.
        images: held out, as `Mnist` has them.
        name: of the MLP, for intervals.
        side: of the pattern, in pixels; even, so that it has as much ink as paper.
        n_examples: of a unit, before ambiguous ones are left out.
        seed: of the draws.
        most: units, at random, from 2; None for all.
        background: of what the hidden layer reads; None for the images.

    Raises:
        NbkitError: an option is out of range, or fewer than two units have examples.
    """
    n_examples = checked_whole("n_examples", n_examples, 2 * FEWEST_OF_A_BEHAVIOR)
    most = None if most is None else checked_whole("most", most, 2)
    layer, rng = mlp_layer(mlp, images, name), np.random.default_rng(seed)
    background = background or Background(images.numpy())
    pasted_in, patterns = _corners(images, side)
    own_push = np.array([(h @ w).mean() if len(h) else 0.0 for h, w in zip(layer.examples, layer.weights, strict=True)])
    able = np.sort(rng.permutation(np.flatnonzero(own_push > 0))[:most])
    if len(able) < 2:
        raise NbkitError(f"{name}: {len(able)} units have examples, and the control needs another one.")
    detectors = {
        unit: patterns[place % 4] * own_push[unit] / (pasted_in[place % 4] @ patterns[place % 4])
        for place, unit in enumerate(able)
    }
    units = []
    for place, unit in enumerate(able):
        # the next, unless its corner is this one's, as it may be where the last is followed by the first
        other = next(able[i % len(able)] for i in range(place + 1, place + 3) if i % len(able) % 4 != place % 4)
        own = layer.examples[unit]
        pasted = images.numpy()[rng.permutation(len(images))[: n_examples // 2]].copy()
        corner = patterns[place % 4] != 0
        pasted[:, corner] = pasted_in[place % 4][corner]
        h = np.concatenate([own[np.sort(rng.permutation(len(own))[: n_examples // 2])], pasted])
        labels, ambiguous = dominant_terms(np.stack([h @ layer.weights[unit], h @ detectors[unit]], axis=1))
        some = of_behaviors(labels, ambiguous)
        if len(np.unique(labels[some])) < 2:
            continue
        units.append(
            LabeledUnit(
                unit=Unit(h, layer.weights[unit] + detectors[unit], background),
                other_weights=layer.weights[other] + detectors[other],
                labels=labels,
                ambiguous=ambiguous,
                name=f"{name} unit {unit} and a corner of {side}",
                group=name,
                task="corner patches",
                difficulty={"side": float(side), "n_examples": float(n_examples)},
            ).take(some)
        )
    return units


def _corners(
    images: Float[Tensor, "n 784"], side: int
) -> tuple[Float[np.ndarray, "4 784"], Float[np.ndarray, "4 784"]]:
    """A checkered pattern in each corner: its pixels, and ones on its ink, minus ones on its paper; zeros around."""
    ink, paper = float(images.max()), float(images.min())
    checks = np.indices((side, side)).sum(axis=0) % 2 * 2 - 1
    signs = np.zeros((4, SIDE, SIDE), dtype=np.float32)
    ends = (slice(None, side), slice(-side, None))
    for corner, (rows, columns) in enumerate((r, c) for r in ends for c in ends):
        signs[corner, rows, columns] = checks
    flat = signs.reshape(4, PIXELS)
    return np.where(flat > 0, ink, np.where(flat < 0, paper, 0)).astype(np.float32), flat
