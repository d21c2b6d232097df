"""What a layer reads at each position of its output: a vector, or a patch of what a convolution reads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from nbkit.errors import NbkitError
from nbkit.units.watching import watched

TRACED_AT_ONCE = 64
"""Images in a pass that finds which part of the image a position sees."""


def read_by(layer: nn.Module, read: Tensor) -> Float[Tensor, "b positions width"]:
    """What the units of a layer read at each position."""
    if not isinstance(layer, nn.Conv2d):
        return read.reshape(len(read), -1, read.shape[-1])
    assert not isinstance(layer.padding, str) or layer.padding in ("same", "valid")
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = pad(read, _padding(layer), mode=mode)
    for axis in (0, 1):
        dilation = layer.dilation[axis]
        reach = dilation * (layer.kernel_size[axis] - 1) + 1
        padded = padded.unfold(2 + axis, reach, layer.stride[axis])[..., ::dilation]  # a view, as `unfold` is not
    return padded.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


def by_position(layer: nn.Module, gave: Tensor) -> Float[Tensor, "b positions units"]:
    """What a layer gave at each position."""
    return gave.flatten(2).mT if isinstance(layer, nn.Conv2d) else gave.reshape(len(gave), -1, gave.shape[-1])


def _padding(layer: nn.Conv2d) -> tuple[int, int, int, int]:
    """Left, right, top and bottom."""
    sides = []
    for axis in (1, 0):
        both = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
        if isinstance(layer.padding, str):
            sides += [both // 2, both - both // 2] if layer.padding == "same" else [0, 0]
        else:
            sides += [layer.padding[axis]] * 2
    left, right, top, bottom = sides
    return left, right, top, bottom


@torch.no_grad()
def boxes_of(
    module: nn.Module, layers: Mapping[str, nn.Module], inputs: Tensor, size: tuple[int, ...]
) -> dict[int, Int[np.ndarray, "positions 4"]]:
    """Of each convolution, by its number, the part of the image that it sees at each position: where its output is not
    a number if a row or column of the image is none.

    Raises:
        NbkitError: images of another size are shown.
    """
    convolutions = {name: layer for name, layer in layers.items() if isinstance(layer, nn.Conv2d)}
    if not convolutions:
        return {}
    height, width = size
    if inputs.ndim != 4 or tuple(inputs.shape[2:]) != (height, width):
        raise NbkitError(
            f"inputs have shape {tuple(inputs.shape)} and the images that are shown {height} x {width} pixels: show "
            "images of the inputs' size"
        )
    hidden = inputs[:1].expand(height + width, -1, -1, -1).clone()
    for row in range(height):
        hidden[row, :, row] = torch.nan
    for column in range(width):
        hidden[height + column, :, :, column] = torch.nan
    seen: list[list[Tensor]] = [[] for _ in convolutions]

    def take(number: int, _: Tensor, gave: Tensor) -> None:
        seen[number].append(gave.isnan().any(1))

    with watched(module, convolutions, take) as run:
        for batch in hidden.split(TRACED_AT_ONCE):
            run(batch)
    found = {}
    for name, parts in zip(convolutions, seen, strict=True):
        rows, columns = (part.cpu().numpy() for part in torch.cat(parts).split([height, width]))
        (top, bottom), (left, right) = _ends(rows.any(2)), _ends(columns.any(1))
        at = np.meshgrid(np.arange(len(top)), np.arange(len(left)), indexing="ij")
        box = np.stack([top[at[0]], left[at[1]], bottom[at[0]], right[at[1]]], axis=-1)
        found[list(layers).index(name)] = np.ascontiguousarray(box.reshape(-1, 4).astype(np.int32))
    return found


def _ends(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each position the first of what it sees, and one past the last; all, if nothing can be told."""
    seen = seen | ~seen.any(0)
    return seen.argmax(0), len(seen) - seen[::-1].argmax(0)
