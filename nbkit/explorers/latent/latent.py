"""The latent explorer: every neuron of an MLP's hidden layer and every latent of its sparse autoencoders (Figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets
from jaxtyping import Float, Int

from nbkit.errors import NbkitError
from nbkit.explorers.shared.bundle import module_text, style_text
from nbkit.explorers.shared.packing import pack
from nbkit.explorers.shared.page_json import page_json
from nbkit.method.metrics import METRIC_TITLES
from nbkit.mnist.images import CLASSES, PIXELS
from nbkit.mnist.view import LatentView, MlpWeights, check_shape

PICKS = 5
"""Images of each digit that a reader can pick, besides all that are examples of something."""
LATENT_TITLES = METRIC_TITLES | {
    "n_examples": "activating images",
    "size": "examples",
    "max_activation": "maximum activation",
    "participation": "inputs that it reads",
    "monosemanticity": "monosemanticity score",
}
"""What the columns of `nbkit.sae.report.SaeReport.latents` are called."""


class LatentExplorer(anywidget.AnyWidget):
    """Every unit of some models of the same images, and which of them answer to a digit that the reader draws.

    `view` (place in the views) and `unit` (number in the view) say what is shown. They can be read, set and linked from
    Python, and follow the reader in JupyterLab.
    """

    _esm = module_text("latent/latent.js")
    _css = style_text("shared/explorer.css", "shared/panel.css", "latent/latent.css")

    about = traitlets.Unicode().tag(sync=True)
    """Names, and where each array lies in `packed`, as JSON (see `explorer_arrays`)."""
    packed = traitlets.Bytes().tag(sync=True)
    """All arrays (see `nbkit.explorers.shared.packing`)."""
    view = traitlets.Int(0).tag(sync=True)
    """Which view is shown."""
    unit = traitlets.Int(0).tag(sync=True)
    """Which unit of it is shown."""

    def __init__(
        self,
        views: Sequence[LatentView],
        mlp: MlpWeights,
        images: Float[np.ndarray, "n_images 784"],
        labels: Int[np.ndarray, " n_images"],
        view: int = 0,
        unit: int = 0,
    ) -> None:
        """Show `views`, one of them at a time.

        Args:
            views: the models, in the order in which they are offered.
            mlp: what makes hidden activations and digits of an image.
            images: pixels in [0, 1] that the views' examples are places in. Only examples, and a few to pick, are sent.
            labels: the digit of each image.
            view: the one to begin with.
            unit: of it, the one to begin with.

        Raises:
            NbkitError: there are no views, shapes do not fit, an example is no image, a view or unit does not exist.
        """
        about, arrays = explorer_arrays(views, mlp, images, labels)
        layout, packed = pack(arrays)
        self._sizes = [len(v.metrics) for v in views]
        super().__init__(about=page_json(about | {"layout": layout}), packed=packed, view=view, unit=unit)

    @traitlets.validate("view")
    def _check_view(self, proposal: dict[str, Any]) -> int:
        return _in_range(proposal["value"], len(self._sizes), "views")

    @traitlets.validate("unit")
    def _check_unit(self, proposal: dict[str, Any]) -> int:
        view = _in_range(self.view, len(self._sizes), "views")  # both may be new, and the view not yet checked
        return _in_range(proposal["value"], self._sizes[view], "units in this view")

    @traitlets.observe("view")
    def _stay_in_range(self, change: dict[str, Any]) -> None:
        if self.unit >= self._sizes[self.view]:
            self.unit = 0


def explorer_arrays(
    views: Sequence[LatentView],
    mlp: MlpWeights,
    images: Float[np.ndarray, "n_images 784"],
    labels: Int[np.ndarray, " n_images"],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what `latent.js` draws: names and labels, and the arrays.

    An image is sent once, however many units it is an example of. Pixels have 8 bits, which is all that MNIST has;
    curves 8; activation maps, where they are not what the units read of the pixels, 8 with a scale each; all other
    numbers are float32.

    Raises:
        NbkitError: there are no views, shapes do not fit, or an example is no image.
    """
    if not views:
        raise NbkitError("There is nothing to explore: give at least one view.")
    check_shape("the images", images, (len(images), PIXELS))
    check_shape("the labels", labels, (len(images),))
    if not (images.min() >= 0 and images.max() <= 1):
        raise NbkitError("The images must hold pixels in [0, 1]: undo the normalization first.")
    if not (labels.min() >= 0 and labels.max() < CLASSES):
        raise NbkitError(f"The labels must be digits from 0 to {CLASSES - 1}.")
    picks = np.concatenate([np.flatnonzero(labels == digit)[:PICKS] for digit in range(CLASSES)])
    sent = _images_of([row for view in views for row in view.examples] + [picks], len(images))
    w_in, b_in = mlp.on_pixels()
    arrays = {
        "images": np.rint(images[sent] * 255).astype(np.uint8),
        "numbers": sent.astype(np.uint32),
        "labels": labels[sent].astype(np.uint8),
        "picks": np.searchsorted(sent, picks).astype(np.uint32),
        **{name: np.asarray(getattr(mlp, name), dtype=np.float32) for name in ("w_out", "b_out")},
        "w_in": w_in.astype(np.float32),
        "b_in": b_in.astype(np.float32),
    }
    described = []
    for i, view in enumerate(views):
        if (view.encoder[0].shape[0] if view.encoder else len(view.metrics)) != len(b_in):
            raise NbkitError(f"The view {view.name!r} does not read the {len(b_in)} hidden neurons of this MLP.")
        columns = _columns(view.metrics)
        arrays |= {f"{i}.{name}": array for name, array in _view_arrays(view, sent, columns, w_in).items()}
        titles = {name: LATENT_TITLES.get(name, name.replace("_", " ")) for name in columns}
        metrics = [{"label": titles[name], "flag": flag} for name, flag in columns.items()]
        described.append({"name": view.name, "unit": view.unit, "n": len(view.metrics), "metrics": metrics})
    return {"views": described}, arrays


def _view_arrays(
    view: LatentView, sent: Int[np.ndarray, " s"], columns: Mapping[str, bool], w_in: Float[np.ndarray, "784 d"]
) -> dict[str, np.ndarray]:
    sizes = [len(row) for row in view.examples]
    arrays = {
        "metrics": np.stack([view.metrics[name].to_numpy(np.float32) for name in columns]),  # (columns, n)
        "logits": view.logit_effects.astype(np.float32),
        "curves": np.rint(np.nan_to_num(view.curves) * 255).astype(np.uint8),
        "starts": np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32),
        "examples": np.searchsorted(sent, _joined(view.examples)).astype(np.uint32),
        "clusters": _joined(view.clusters).astype(np.uint16),
    }
    if view.encoder:
        arrays |= {name: np.asarray(a, np.float32) for name, a in zip(("w_enc", "b_enc"), view.encoder, strict=True)}
    read = w_in @ view.encoder[0] if view.encoder else w_in
    if not np.allclose(view.activation_maps, read.T, atol=1e-3 * np.abs(read).max()):  # else the browser multiplies
        arrays["maps"], arrays["map_scale"] = _quantized(view.activation_maps, 127, np.int8)
    return arrays


def _columns(metrics: pd.DataFrame) -> dict[str, bool]:
    """The columns that can be sorted by; whether they hold truth values."""
    found = {str(name): pd.api.types.is_bool_dtype(metrics[name]) for name in metrics.select_dtypes(["number", "bool"])}
    if not found:
        raise NbkitError("A table of metrics has no column of numbers: there is nothing to sort by.")
    return found


def _images_of(rows: Sequence[np.ndarray], n_images: int) -> Int[np.ndarray, " s"]:
    sent: Int[np.ndarray, " s"] = np.unique(_joined(rows))
    if len(sent) and not (sent[0] >= 0 and sent[-1] < n_images):
        raise NbkitError(f"An example is image {sent[[0, -1]]}, and there are {n_images}: give the images they are of.")
    return sent


def _joined(rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype=np.int64), *rows])


def _quantized(
    rows: Float[np.ndarray, "n p"], levels: int, dtype: type
) -> tuple[Int[np.ndarray, "n p"], Float[np.ndarray, " n"]]:
    """Rows as whole numbers from -levels to levels, and what one step is in each."""
    scale = np.abs(rows).max(axis=1) / levels
    return np.rint(rows / np.where(scale > 0, scale, 1.0)[:, None]).astype(dtype), scale.astype(np.float32)


def _in_range(value: int, n: int, what: str) -> int:
    if not 0 <= value < n:
        raise NbkitError(f"There is no {value} among the {n} {what}: choose 0 to {n - 1}.")
    return value
