"""What a sparse autoencoder is worth: the columns of Tables 2 and 3, measures that its loss does not optimize, and the
feature clusters of its latents.

Inputs pass in batches and latents in groups (see `latents.py`), so memory grows with neither inputs x latents nor
inputs x latents x d_in.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_number, checked_whole
from nbkit.method.clusters import check_threshold
from nbkit.sae.architecture import WIDEST
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.encoder import Encoder, received
from nbkit.sae.latents import (
    ExampleCollector,
    Monosemanticity,
    example_distances,
    participation,
    purities,
)
from nbkit.sae.pairs import Pairs
from nbkit.sae.report import CLUSTER_COLUMNS, SaeReport
from nbkit.sae.tensors import as_classes, as_tensor, at_least_float32

SAE_CUT, HIDDEN_CUT = 0.05, 0.2
"""Distances at which the trees of SAE latents and of the MLP's hidden neurons are cut (the author's MNIST page)."""
DEAD_BELOW = 0.005
"""A latent is dead if no training input activates it as much as this: the author's figure, for activations around 1."""
L1_BATCH = 128
"""Inputs that the L1 column is summed over."""
MEDIANS = ("max_distance", "mean_distance", "participation", "purity", "monosemanticity")
"""Columns of the latents whose median, over those with two examples, is a figure of the autoencoder."""

Readout = Callable[[Float[Tensor, "b d_in"]], Float[Tensor, "b n_classes"]]


@torch.no_grad()
def evaluate_sae(
    sae: Encoder,
    train: Float[Tensor, "n_train d_in"],
    test: Float[Tensor, "n_test d_in"],
    readout: Readout | None = None,
    labels: Int[Tensor, " n_test"] | None = None,
    images: Float[Tensor, "n_test p"] | None = None,
    max_examples: int = 100,
    threshold: float | None = SAE_CUT,
    batch_size: int = 1024,
    dead_below: float | None = None,
) -> SaeReport:
    """Evaluates a sparse autoencoder and each of its latents, with the feature clusters of their examples.

    Args:
        sae: the autoencoder; or a layer of neurons, as the hidden layer of `MnistMLP` on images.
        train: (n_train, d_in) what it read while training.
        test: (n_test, d_in) what everything but dead latents is measured on.
        readout: logits from activations, for the accuracies; needs `labels`.
        labels: (n_test,) classes, for the accuracies and the purity.
        images: (n_test, p) raw images, for the monosemanticity score.
        max_examples: test inputs that count as a latent's examples: the first that activate it.
        threshold: cosine distance in (0, 1] at which the trees of the examples are cut; the author's MNIST page takes
            0.05 for latents and 0.2 for hidden neurons. None makes no clusters, which is quick enough for hundreds of
            autoencoders.
        batch_size: inputs that are encoded together; changes speed and memory alone.
        dead_below: activation that some training input must give a latent for it not to count as dead. It depends on
            the scale of the latents' activations. None for the author's 0.005, or, if no latent reaches an activation
            of 1, for 0.005 of the largest.

    Raises:
        NbkitError: a transcoder, arguments that don't fit together, an empty set, values that are not finite, or a
            threshold that is no distance.
    """
    if threshold is not None:
        check_threshold(threshold)
    train, test = as_tensor(train, "The training activations"), as_tensor(test, "The test activations")
    labels = None if labels is None else as_classes(labels)
    images = None if images is None else as_tensor(images, "The images")
    _check_activations(sae, train, test)
    _check_labels(labels, readout, len(test))
    if images is not None:
        _check_images(images, len(test))
    max_examples, batch_size = (
        checked_whole(name, value, 1, WIDEST)
        for name, value in (("max_examples", max_examples), ("batch_size", batch_size))
    )
    if dead_below is not None:
        checked_number("dead_below", dead_below, "give an activation, at least 0", 0, np.inf)
    w_enc = sae.w_enc.detach()
    m, n = w_enc.shape[1], len(test)
    collector = ExampleCollector(m, max_examples)
    score = None if images is None else Monosemanticity(m, images.shape[1])
    totals: dict[str, float] = dict.fromkeys(("l1", "squared_error", "variance", "correct", "correct_before"), 0.0)
    decode = getattr(sae, "decode", None)
    origin, drift = test[0].double(), torch.zeros_like(test[0], dtype=torch.float64)
    for start in range(0, n, batch_size):
        batch = slice(start, start + batch_size)
        h = test[batch].to(w_enc)
        z = sae.encode(h)
        pairs = Pairs(z)
        collector.add(pairs, start)
        totals["l1"] += float(pairs.activation.double().sum())
        if score is not None and images is not None:
            score.add(pairs, images[batch])
        if decode is None:
            continue
        reconstruction = decode(z, h) if isinstance(sae, SparseAutoencoder) else decode(z)
        error = at_least_float32(reconstruction) - at_least_float32(h)
        totals["squared_error"] += float(error.double().square().sum())
        offset = test[batch].double() - origin  # from one of the inputs: no pass for the mean
        totals["variance"] += float(offset.square().sum())
        drift += offset.sum(0)
        if readout is not None and labels is not None:
            for name, x in (("correct_before", h), ("correct", reconstruction)):
                # of an autoencoder in half precision, which the layer itself may not be in
                answers = readout(x.to(test.dtype) if at_least_float32(x).dtype != x.dtype else x).argmax(1)
                totals[name] += float((answers == labels[batch].to(answers.device)).sum())

    examples, highest = collector.examples(), at_least_float32(_highest(sae, train, batch_size))
    if not np.isfinite(totals["l1"]) or not _is_finite(highest):
        raise NbkitError(
            f"Latents have activations that are not finite: they may overflow in {str(w_enc.dtype).split('.')[-1]}, "
            "so evaluate the autoencoder in float32 (its method float())."
        )
    distances = example_distances(received(sae, test), w_enc, examples)
    scale = _deviations(received(sae, train)).to(w_enc.device)
    dead = _dead(highest, dead_below)
    columns: dict[str, Tensor] = {
        "n_examples": collector.count,
        "size": examples.sizes,
        "max_activation": highest,
        **dict(zip(("max_distance", "mean_distance"), distances, strict=True)),
        "participation": participation(at_least_float32(w_enc) * scale.to(at_least_float32(w_enc))[:, None]),
    }
    if labels is not None:
        columns["purity"] = purities(examples, labels.cpu())
    if score is not None:
        columns["monosemanticity"] = score.scores()
    latents = pd.DataFrame({name: column.double().cpu().numpy() for name, column in columns.items()})
    latents = latents.astype({"n_examples": int, "size": int})
    latents.insert(2, "density", latents["n_examples"] / n)
    latents.insert(4, "dead", dead.cpu().numpy())

    summary: dict[str, float] = {}
    if decode is not None:
        summary["mse"] = totals["squared_error"] / test.numel()
        variance = totals["variance"] - float(drift.square().sum()) / n
        summary["explained_variance"] = 1 - totals["squared_error"] / variance if variance else float("nan")
        if readout is not None:
            summary["accuracy"] = 100 * totals["correct"] / n
            summary["accuracy_loss"] = 100 * (totals["correct_before"] - totals["correct"]) / n
    summary |= {
        "l1": totals["l1"] / n * L1_BATCH,
        "l0": 100 * float(collector.count.sum()) / (n * m),
        "dead": 100 * float(dead.double().mean()),
        "dead_strict": 100 * float((highest <= 0).double().mean()),
        "size": median(latents["size"][latents["size"] >= 1]),
    }
    report = SaeReport(summary, latents, threshold, sae, examples, test)
    if threshold is not None:
        clustered = report.cluster_columns()
        latents[list(CLUSTER_COLUMNS)] = clustered
    several = latents[latents["size"] >= 2]
    summary |= {name: median(several[name]) for name in (*MEDIANS, *CLUSTER_COLUMNS) if name in several}
    return report


def median(values: Float[np.ndarray, " m"] | pd.Series[float]) -> float:
    """The median of the values that are defined; NaN if none is."""
    values = np.asarray(values, dtype=np.float64)
    defined = values[~np.isnan(values)]
    return float(np.median(defined)) if len(defined) else float("nan")


def _highest(sae: Encoder, train: Tensor, batch_size: int) -> Float[Tensor, " m"]:
    """The largest activation of each latent."""
    batches = (sae.encode(h.to(sae.w_enc)).amax(0) for h in train.split(batch_size))
    highest = next(batches)
    for found in batches:
        highest = torch.maximum(highest, found)
    return highest


def _dead(highest: Float[Tensor, " m"], below: float | None) -> Bool[Tensor, " m"]:
    """Which latents are dead, given the largest activation of each and the smallest of one that isn't."""
    if below is None:
        below = DEAD_BELOW * min(1.0, float(highest.max()))
    return (highest < below) | (highest <= 0)


def _deviations(train: Float[Tensor, "n d_in"]) -> Float[Tensor, " d_in"]:
    """The standard deviation of each input number, a part of them at a time where they must be converted."""
    if at_least_float32(train[:0]).dtype == train.dtype:
        return train.var(0, correction=0).sqrt()
    return torch.cat([at_least_float32(part).var(0, correction=0) for part in train.split(64, dim=1)]).sqrt()


def _check_activations(sae: Encoder, train: Tensor, test: Tensor) -> None:
    if not isinstance(getattr(sae, "w_enc", None), Tensor):
        raise NbkitError(f"There is nothing to evaluate in a {type(sae).__name__}: give a sparse autoencoder.")
    if isinstance(sae, SparseAutoencoder) and sae.architecture.d_out is not None:
        raise NbkitError(
            "This is a transcoder, which predicts other activations than it reads: only an autoencoder's "
            "reconstruction of its input can be evaluated."
        )
    d_in = len(sae.w_enc)
    for name in ("w_enc", "b_enc", "w_dec", "b_dec", "b_gate", "r_mag", "threshold", "w_skip"):
        weights = getattr(sae, name, None)
        if weights is not None and not _is_finite(weights):
            raise NbkitError(f"The autoencoder's {name} holds NaN or infinite values: train it again.")
    for name, data in (("training", train), ("test", test)):
        if data.ndim != 2 or data.shape[1] != d_in:
            raise NbkitError(f"The {name} activations have shape {tuple(data.shape)}: this encoder reads (n, {d_in}).")
        if len(data) == 0:
            raise NbkitError(f"There are no {name} activations: give at least one.")
        if not _is_finite(data):
            raise NbkitError(f"The {name} activations hold NaN or infinite values: check the layer they come from.")


def _check_labels(labels: Tensor | None, readout: Readout | None, n: int) -> None:
    if readout is not None and labels is None:
        raise NbkitError("An accuracy needs labels: give both, a readout and labels.")
    if labels is not None and (labels.shape != (n,) or labels.is_floating_point()):
        raise NbkitError(
            f"The labels are {labels.dtype} of shape {tuple(labels.shape)}: give one whole number for each of the "
            f"{n} test activations."
        )


def _check_images(images: Tensor, n: int) -> None:
    if images.ndim != 2 or len(images) != n:
        raise NbkitError(
            f"The images have shape {tuple(images.shape)}: give a row for each of the {n} test activations."
        )
    if not _is_finite(images):
        raise NbkitError("The images hold NaN or infinite values.")
    blank = images.abs().amax(1) == 0
    if bool(blank.any()):
        raise NbkitError(f"Image {int(blank.nonzero()[0])} is all zeros and has no direction to compare: leave it out.")


def _is_finite(values: Tensor) -> bool:
    """Whether all are: in a thirtieth of the time of `isfinite`, since extremes pass NaN on."""
    return all(bool(extreme.isfinite()) for extreme in values.aminmax())
