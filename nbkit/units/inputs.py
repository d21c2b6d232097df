"""Inputs that come as arrays, and what an atlas shows of them: texts, windows of tokens, images or labels."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Sized
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from nbkit.corpora import Contexts
from nbkit.corpora.added_tokens import AddedTokens
from nbkit.errors import NbkitError
from nbkit.method.checks import shown
from nbkit.models.site import Site
from nbkit.models.units import Capture, Read
from nbkit.models.values import DenseValues
from nbkit.models.weights import NeuronWeights

PAD = " "
"""What stands behind the end of a window of tokens that is shorter than others."""
UNNAMED = "image"
"""What stands for an image without a label."""
Kind = Literal["images", "tokens", "texts", "labels"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The n inputs of an atlas, as it shows them."""

    kind: Kind
    """What they are."""
    tokens: Int[np.ndarray, "n t"]
    """Of each the place of its text or label in `items`, or of its tokens."""
    items: tuple[str, ...]
    images: UInt8[np.ndarray, "n h w ..."] | None = None
    """Gray, or red, green and blue."""
    lengths: Int[np.ndarray, " n"] | None = None
    """Of windows of tokens; behind their ends nothing is read."""

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def shown(self) -> dict[str, np.ndarray]:
        """What makes the inputs look as they do."""
        items = np.frombuffer("\0".join(self.items).encode("utf-8", "surrogatepass"), dtype=np.uint8)
        known = {"images": self.images, "lengths": self.lengths}
        return {"tokens": self.tokens, "items": items} | {n: each for n, each in known.items() if each is not None}

    def contexts(self, name: str, positions: int) -> Contexts:
        """The inputs as contexts.

        Args:
            positions: how many of an input have a vector, at the site where most have.
        """
        n = len(self)
        special = np.zeros(positions, dtype=np.bool_)
        return Contexts(self.tokens, np.arange(n, dtype=np.int32), name, special, AddedTokens())


def read_inputs(inputs: object, n: int, labels: object = None) -> Inputs:
    """What the atlas of n inputs shows.

    Args:
        inputs: n texts or labels; n windows of tokens, each a sequence of strings; or images, (n, h, w), (n, h, w, 3)
            or as torch has it (n, 1 or 3, h, w), of whole numbers from 0 to 255 or floats from 0 to 1.
        labels: of images, n of them.

    Raises:
        NbkitError: it is none of these, or not n.
    """
    array = np.asarray(inputs.detach().cpu()) if isinstance(inputs, Tensor) else inputs
    if not isinstance(array, Sized) or isinstance(array, str | bytes | dict) or getattr(array, "ndim", 1) == 0:
        raise NbkitError(f"inputs are {shown(inputs)}: give texts, windows of tokens, images or labels")
    if len(array) != n:
        raise NbkitError(f"there are {len(array)} inputs and {n} rows of what is read: give one for each")
    if isinstance(array, np.ndarray) and array.ndim >= 2 and array.dtype.kind in "uifb":
        tokens, items = _coded([UNNAMED] * n if labels is None else _texts("labels", labels, n))
        return Inputs("images", tokens[:, None], items, _images(array))
    if labels is not None:
        raise NbkitError("labels are for images: leave them out, or give images as inputs")
    rows = list(array)  # type: ignore[call-overload]
    if all(isinstance(row, list | tuple | np.ndarray) and all(isinstance(each, str) for each in row) for row in rows):
        width = max(map(len, rows), default=0)
        if not width:
            raise NbkitError("inputs are empty windows: give at least one token in each")
        tokens, items = _coded([each for row in rows for each in [*row, *[PAD] * (width - len(row))]])
        return Inputs("tokens", tokens.reshape(n, width), items, lengths=np.array([len(row) for row in rows]))
    tokens, items = _coded(_texts("inputs", rows, n))
    return Inputs("texts" if any(isinstance(row, str) for row in rows) else "labels", tokens[:, None], items)


def checked_name(what: str, value: object) -> str:
    """A text that something is called by.

    Raises:
        NbkitError: it is none.
    """
    if not isinstance(value, str) or not value:
        raise NbkitError(f"{what} is {shown(value)}: it is a text, what to call it")
    return value


def _texts(what: str, given: Any, n: int) -> list[str]:
    values = given.tolist() if isinstance(given, Tensor | np.ndarray | pd.Series) else list(given)
    if len(values) != n:
        raise NbkitError(f"there are {len(values)} {what} and {n} inputs: give one for each")
    for value in values:
        if not isinstance(value, str | int | float | np.integer):
            raise NbkitError(f"{what} hold {shown(value)}: give strings or numbers")
    return [str(value) for value in values]


def _coded(texts: Sequence[str]) -> tuple[Int[np.ndarray, " n"], tuple[str, ...]]:
    codes, items = pd.factorize(np.array([*texts, ""], dtype=object)[:-1])
    return codes.astype(np.int32), tuple(items)


def _images(array: np.ndarray) -> UInt8[np.ndarray, "n h w ..."]:
    """Images as bytes, channels last."""
    if array.ndim == 4 and array.shape[-1] not in (1, 3) and array.shape[1] in (1, 3):
        array = np.moveaxis(array, 1, -1)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[-1] == 3)) or 0 in array.shape:
        raise NbkitError(
            f"images have shape {array.shape}: give (n, height, width), with 3 behind or before it if they are colored"
        )
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    largest, unit = (1, 255) if array.dtype.kind == "f" else (255, 1)
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= largest):
        raise NbkitError(
            f"images hold {array.dtype} from {array.min():.3g} to {array.max():.3g}: give floats from 0 to 1, or whole "
            "numbers from 0 to 255; images that were normalized for a model must be turned back"
        )
    return np.ascontiguousarray(np.rint(array * unit).astype(np.uint8))


def sha256_of_arrays(named: Mapping[str, np.ndarray], of: str = "") -> str:
    """sha256 of arrays with their names, shapes and dtypes, and of a text before them."""
    digest = hashlib.sha256(of.encode())
    for name, array in named.items():
        digest.update(f"{name} {array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class InputUnits(ABC):
    """Units that read arrays. As `nbkit.models.units.Units` has it."""

    name: str
    """What the model is called that they are in."""
    inputs: Inputs
    """What they read, as it is shown."""
    contexts: Contexts
    """That as contexts."""
    sites: tuple[Site, ...]
    boxes: dict[int, Int[np.ndarray, "positions 4"]]
    """Of sites at which every position sees a part of the image, that: top, left, bottom and right."""

    checkpoint = ""
    dtype = torch.float32

    @property
    def device(self) -> torch.device:
        """Where they are computed."""
        return torch.device("cpu")

    @property
    def kind(self) -> str:
        """See `Units.kind`."""
        return self.inputs.kind

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """sha256 of weights and inputs."""

    @abstractmethod
    def weights(self, site: int) -> NeuronWeights:
        """See `Units.weights`."""

    @abstractmethod
    def reading(self, sites: Sequence[int], capture: Capture) -> AbstractContextManager[Read]:
        """See `Units.reading`."""

    def active(self, activations: Float[Tensor, "b positions units"], some: slice) -> DenseValues:
        """The activations on some inputs, those behind the end of a window taken for none."""
        if self.inputs.lengths is not None:
            ends = torch.from_numpy(self.inputs.lengths[some]).to(activations.device)
            at = torch.arange(activations.shape[1], device=activations.device)
            activations = activations.masked_fill((at >= ends[:, None])[..., None], 0)
        return DenseValues(activations)

    def received(self, site: int, vectors: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """The vectors as they are."""
        return vectors

    def check_contexts(self, contexts: object) -> None:
        """Raises NbkitError unless these are the units' own inputs."""
        if contexts is not self.contexts:
            raise NbkitError(f"the units of {self.name!r} read arrays of their own: give their `contexts`")

    def token_names(self, ids: Sequence[int]) -> list[str]:
        """See `Units.token_names`."""
        return [self.inputs.items[i] for i in ids]

    def vocabulary(self, ids: Int[np.ndarray, " n_ids"]) -> pd.DataFrame:
        """See `Units.vocabulary`."""
        texts = self.token_names(ids.tolist())
        written = [text.encode("utf-8", "surrogatepass") for text in texts]
        return pd.DataFrame({"id": ids, "text": texts, "bytes": written, "special": False})

    def logit_effects(self) -> Callable[[int], dict[str, Tensor]]:
        """Nothing is known of logits."""
        return lambda site: {}

    @property
    def pictures(self) -> dict[str, Tensor]:
        """See `Units.pictures`."""
        boxes = {f"boxes.{site}": torch.from_numpy(box) for site, box in self.boxes.items()}
        return boxes if self.inputs.images is None else {"images": torch.from_numpy(self.inputs.images), **boxes}
