"""Rows of somebody's arrays as units: nothing is needed of a model but what its units read, and their weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.atlas.build import build_atlas
from nbkit.corpora import Contexts
from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array, shown
from nbkit.models.capturing import Tokens
from nbkit.models.site import Site
from nbkit.models.units import Capture, Read
from nbkit.models.weights import NeuronWeights, activation_function
from nbkit.units.inputs import Inputs, InputUnits, checked_name, read_inputs, sha256_of_arrays

if TYPE_CHECKING:
    from nbkit.atlas.atlas import Atlas
    from nbkit.atlas.config import AtlasConfig

Array = np.ndarray | Tensor


@dataclass(frozen=True, eq=False)
class ArrayUnits(InputUnits):
    """The m rows of a matrix of weights, at one site. Made by `atlas_from_arrays`."""

    name: str
    inputs: Inputs
    read: Float[np.ndarray, "n positions width"]
    """What they read."""
    keys: Int[np.ndarray, " n"] | None
    """Of windows of tokens that were read at one position alone, that."""
    own_weights: NeuronWeights
    sites: tuple[Site]
    boxes: dict[int, Int[np.ndarray, "positions 4"]]
    contexts: Contexts

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of what is shown: atlases of several arrays on the same inputs can be joined."""
        return sha256_of_arrays(self.inputs.shown)

    def weights(self, site: int) -> NeuronWeights:
        """The weights that were given."""
        return self.own_weights

    @contextmanager
    def reading(self, sites: Sequence[int], capture: Capture) -> Iterator[Read]:
        """See `Units.reading`."""
        function = activation_function(self.sites[0].activation)

        def read(contexts: Tokens, some: slice) -> None:
            vectors = torch.from_numpy(np.array(self.read[some], dtype=np.float32))
            values = self.own_weights.activations(vectors, function)
            if self.keys is not None:  # an activation of zero is none
                width = self.inputs.tokens.shape[1]
                place = (torch.arange(len(vectors)), torch.from_numpy(self.keys[some]))
                vectors, values = (
                    part.new_zeros(len(part), width, part.shape[-1]).index_put(place, part[:, 0])
                    for part in (vectors, values)
                )
            capture(0, vectors, self.active(values, some))

        with torch.inference_mode():
            yield read


def atlas_from_arrays(
    read: Float[Array, "n d"] | Float[Array, "n t d"],
    weights: Float[Array, "m d"],
    inputs: object,
    out: str | Path,
    *,
    bias: Float[Array, " m"] | None = None,
    activation: str = "relu",
    labels: object = None,
    keys: object = None,
    boxes: Int[Array, "t 4"] | None = None,
    name: str = "arrays",
    corpus: str = "inputs",
    unit: str = "unit",
    config: AtlasConfig | None = None,
    progress: bool = True,
) -> Atlas:
    """An atlas of units that are given by arrays: what they read, and their weights.

    Unit i has the activation act(h · weights[i] + bias[i]) on a vector h.

    Args:
        read: (n, d), the vector of each of n inputs; or (n, t, d), of an input t of them, one for each position.
        weights: (m, d), a row for each unit.
        inputs: what the atlas shows: n texts or labels; n windows of tokens, each a sequence of strings; or images,
            (n, h, w), (n, h, w, 3) or (n, 1 or 3, h, w), of floats from 0 to 1 or whole numbers from 0 to 255.
        out: the atlas's folder, as in `build_atlas`.
        bias: (m,); None is zeros.
        activation: name of the activation function, as `transformers` knows it: `relu`, `gelu`, `silu`, `linear`, …
        labels: of images, n of them: clusters are then held against them.
        keys: (n,), of windows of tokens with one vector each the place of the token that it belongs to, 0-based.
        boxes: (t, 4), of images with t vectors each what part of the image each is of: top, left, bottom, right.
        name: what to call the model.
        corpus: what to call the inputs.
        unit: what to call one of the units.
        config: what to scan for; the defaults are those of `build_atlas`.

    Raises:
        NbkitError: arrays that don't belong together, or hold something else than finite numbers; `out` holds something
            else.
    """
    h, w = checked_array(read, "read"), checked_array(weights, "weights")
    if w.ndim != 2 or 0 in w.shape:
        raise NbkitError(f"weights have shape {w.shape}: give (units, width)")
    if h.ndim not in (2, 3) or 0 in h.shape or h.shape[-1] != w.shape[1]:
        raise NbkitError(
            f"read has shape {h.shape}: give (inputs, width) or (inputs, positions, width), of the weights' width, "
            f"{w.shape[1]}"
        )
    if not (finite := np.isfinite(h).reshape(len(h), -1).all(1)).all():
        raise NbkitError(f"read holds NaN or infinity in input {finite.argmin()}: leave that one out")
    b = np.zeros(len(w)) if bias is None else checked_array(bias, "bias")
    if b.shape != w.shape[:1]:
        raise NbkitError(f"bias has shape {b.shape}: give one number for each of the {len(w)} units")
    activation_function(activation)
    for what, called in (("name", name), ("corpus", corpus), ("unit", unit)):
        checked_name(what, called)
    known = read_inputs(inputs, len(h), labels)
    whole = h[:, None] if h.ndim == 2 else h
    at = _keys(keys, known, whole)
    positions = whole.shape[1] if at is None else known.tokens.shape[1]
    if known.kind != "images" and positions != known.tokens.shape[1]:
        raise NbkitError(
            f"read has {positions} vectors of each input, and the {known.kind} have {known.tokens.shape[1]}: give "
            "windows of as many tokens, or one vector for each input (with `keys`, where inputs are windows)"
        )
    parts = {} if boxes is None else {0: _boxes(boxes, known, positions)}
    w_in, b_in = w.astype(np.float32), b.astype(np.float32)
    own = NeuronWeights(torch.from_numpy(w_in), torch.from_numpy(b_in), None, None)
    given = (
        {"read": whole, "w": w_in, "b": b_in}
        | ({} if at is None else {"keys": at})
        | ({} if not parts else {"boxes": parts[0]})
    )
    site = Site(
        number=0,
        name="arrays",
        unit=unit,
        n_units=len(w),
        width=w.shape[1],
        gated=False,
        activation=activation,
        reads="the vectors that were given",
        sha256=sha256_of_arrays({key: part for key, part in given.items() if part is not None}),
    )
    contexts = known.contexts(corpus, positions)
    units = ArrayUnits(name, known, whole, at, own, (site,), parts, contexts)
    return build_atlas(units, contexts, out, config, progress=progress)


def _keys(keys: object, inputs: Inputs, read: np.ndarray) -> Int[np.ndarray, " n"] | None:
    if keys is None:
        if inputs.kind == "tokens" and read.shape[1] == 1 and inputs.tokens.shape[1] > 1:
            raise NbkitError("inputs are windows of tokens with one vector each: give `keys`, the place of its token")
        return None
    if inputs.kind != "tokens" or read.shape[1] != 1:
        raise NbkitError("keys are for windows of tokens with one vector each: leave them out")
    at = checked_array(keys, "keys")
    width = inputs.tokens.shape[1]
    if at.shape != read.shape[:1] or not np.isin(at, np.arange(width)).all():
        raise NbkitError(f"keys are {shown(keys)}: give {len(read)} places of tokens, 0 to {width - 1}")
    return at.astype(np.int64)


def _boxes(boxes: object, inputs: Inputs, positions: int) -> Int[np.ndarray, "positions 4"]:
    found = checked_array(boxes, "boxes")
    if inputs.images is None:
        raise NbkitError("boxes are for images: leave them out, or give images as inputs")
    height, width = inputs.images.shape[1:3]
    fits = found.shape == (positions, 4) and (found == np.rint(found)).all() and (found[:, :2] >= 0).all()
    if not (fits and (found[:, :2] < found[:, 2:]).all() and (found[:, 2:] <= [height, width]).all()):
        raise NbkitError(
            f"boxes have shape {found.shape}: give top, left, bottom and right for each of the {positions} "
            f"positions, within {height} x {width} pixels"
        )
    return found.astype(np.int32)
