"""Layers of any PyTorch module as units: the outputs of a linear layer, and the channels of a convolution.

A channel is one unit, which reads a patch of what the convolution reads at every position of its output. So a dataset
example of it is an image and the position at which the channel is strongest there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nbkit.atlas.build import build_atlas
from nbkit.corpora import Contexts
from nbkit.errors import NbkitError
from nbkit.files import sha256_of_tensors
from nbkit.method.checks import shown
from nbkit.models.capturing import Tokens
from nbkit.models.language_model import ALLOWED_ROUNDING
from nbkit.models.site import Site
from nbkit.models.units import Capture, Read
from nbkit.models.weights import NeuronWeights, activation_function, as_float, relative_error
from nbkit.units.inputs import Inputs, InputUnits, checked_name, read_inputs, sha256_of_arrays
from nbkit.units.patches import boxes_of, by_position, read_by
from nbkit.units.watching import functions_behind, watched

if TYPE_CHECKING:
    from nbkit.atlas.atlas import Atlas
    from nbkit.atlas.config import AtlasConfig

PROBED = 4
"""Inputs on which a module is tried."""


@dataclass(frozen=True, eq=False)
class ModuleUnits(InputUnits):
    """Units of some layers of a module. Made by `atlas_from_module`."""

    name: str
    module: nn.Module
    layers: tuple[nn.Linear | nn.Conv2d, ...]
    data: Tensor
    """(n, …) what the module reads."""
    inputs: Inputs
    contexts: Contexts
    sites: tuple[Site, ...]
    boxes: dict[int, Int[np.ndarray, "positions 4"]]

    @property
    def device(self) -> torch.device:
        """That of what is read."""
        return self.data.device

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the module's weights, of what it reads, and of what is shown."""
        weights = [(key, each) for key, each in self.module.state_dict().items() if isinstance(each, Tensor)]
        return sha256_of_tensors([*weights, ("", self.data)], sha256_of_arrays(self.inputs.shown))

    def weights(self, site: int) -> NeuronWeights:
        """Of a convolution, a row for each channel, in the order of `torch.nn.functional.unfold`."""
        layer = self.layers[site]
        w = as_float(layer.weight.flatten(1))
        return NeuronWeights(w, torch.zeros(len(w)) if layer.bias is None else as_float(layer.bias), None, None)

    @contextmanager
    def reading(self, sites: Sequence[int], capture: Capture) -> Iterator[Read]:
        """See `Units.reading`."""
        reads = slice(0)

        def take(number: int, read: Tensor, gave: Tensor) -> None:
            site = sites[number]
            function = activation_function(self.sites[site].activation)
            vectors = read_by(self.layers[site], read).float()
            values = function(by_position(self.layers[site], gave).float())
            capture(site, vectors, self.active(values, reads))

        with watched(self.module, {self.sites[site].name: self.layers[site] for site in sites}, take) as run:

            def read_some(contexts: Tokens, some: slice) -> None:
                nonlocal reads
                reads = some
                run(self.data[some])

            yield read_some


def atlas_from_module(
    module: nn.Module,
    layers: str | Sequence[str],
    inputs: Float[Tensor, "n ..."],
    out: str | Path,
    *,
    shown: object = None,
    labels: object = None,
    activation: str | Mapping[str, str] | None = None,
    name: str | None = None,
    corpus: str = "inputs",
    config: AtlasConfig | None = None,
    progress: bool = True,
) -> Atlas:
    """An atlas of layers of any PyTorch module: of a linear layer each output is a unit, of a convolution each channel.

    Args:
        module: it is run in its evaluation mode, and left as it was.
        layers: names of its `torch.nn.Linear` and `torch.nn.Conv2d` modules; each becomes a site, numbered from 0.
        inputs: n of what the module reads, on its device.
        out: the atlas's folder, as in `build_atlas`.
        shown: what the atlas shows of each input, as in `atlas_from_arrays`: images of the inputs' height and width for
            convolutions. None takes the inputs themselves, which then are images.
        labels: of images, n of them: clusters are then held against them.
        activation: name of the function behind the layers, as `transformers` knows it, or a dict from layers to names;
            `linear` stands for a layer's output itself. None finds it by watching what the module does with the output.
        name: what to call the model; None takes the module's class.
        corpus: what to call the inputs.
        config: what to scan for; the defaults are those of `build_atlas`.

    Raises:
        NbkitError: the module has no such layer, or of a kind that isn't known; what follows it is no activation
            function; inputs don't fit; `out` holds something else.
    """
    if not isinstance(module, nn.Module):
        raise NbkitError(f"module is of type {type(module).__name__}: give a torch.nn.Module")
    if not isinstance(inputs, Tensor) or inputs.ndim < 2 or not inputs.numel():
        raise NbkitError("inputs are no tensor (n, …) of what the module reads")
    names = [layers] if isinstance(layers, str) else layers
    if not isinstance(names, list | tuple):
        raise NbkitError(f"layers is of type {type(layers).__name__}: give a list of names")
    found = {str(each): _layer(module, each) for each in names}
    if not found:
        raise NbkitError("layers is empty: give at least one name")
    known = read_inputs(inputs if shown is None else shown, len(inputs), labels)
    called = type(module).__name__ if name is None else checked_name("name", name)
    checked_name("corpus", corpus)
    functions = functions_behind(module, found, inputs[:PROBED], activation)
    positions = _checked(module, found, inputs)
    sites = tuple(
        Site(
            number=number,
            name=each,
            unit="channel" if isinstance(layer, nn.Conv2d) else "unit",
            n_units=len(layer.weight),
            width=layer.weight[0].numel(),
            gated=False,
            activation=function,
            reads="the patch" if isinstance(layer, nn.Conv2d) else "the layer's input",
        )
        for number, ((each, layer), function) in enumerate(zip(found.items(), functions, strict=True))
    )
    if known.kind != "images" and max(positions) > known.tokens.shape[1]:
        raise NbkitError(
            f"the layers have up to {max(positions)} positions, and the {known.kind} that are shown have "
            f"{known.tokens.shape[1]}: show images, or windows of as many tokens"
        )
    boxes = {} if known.images is None else boxes_of(module, found, inputs, known.images.shape[1:3])
    contexts = known.contexts(corpus, max(positions))
    units = ModuleUnits(called, module, tuple(found.values()), inputs, known, contexts, sites, boxes)
    return build_atlas(units, contexts, out, config, progress=progress)


def _layer(module: nn.Module, name: object) -> nn.Linear | nn.Conv2d:
    known = {key: each for key, each in module.named_modules() if isinstance(each, nn.Linear | nn.Conv2d)}
    layer = known.get(str(name))
    if layer is None:
        near = get_close_matches(str(name), known, n=1, cutoff=0)
        hint = f"the nearest is {near[0]!r}" if near else "it has none of either"
        raise NbkitError(f"{type(module).__name__} has no linear layer or convolution {shown(name)}: {hint}")
    if isinstance(layer, nn.Conv2d) and layer.groups != 1:
        raise NbkitError(
            f"{name} is a convolution in {layer.groups} groups, whose channels read different parts of a patch: choose "
            "another layer"
        )
    return layer


@torch.no_grad()
def _checked(module: nn.Module, layers: Mapping[str, nn.Linear | nn.Conv2d], inputs: Tensor) -> list[int]:
    """Positions of each layer, whose weights times what it reads give what it gives.

    Raises:
        NbkitError: they don't.
    """
    positions, names = [0] * len(layers), list(layers)
    few = inputs[:PROBED]

    def take(number: int, read: Tensor, gave: Tensor) -> None:
        layer, name = layers[names[number]], names[number]
        if len(gave) != len(few):
            raise NbkitError(f"{name} gives {len(gave)} rows for {len(few)} inputs: its first dimension must be theirs")
        vectors, expected = read_by(layer, read), by_position(layer, gave)
        weight, bias = layer.weight.flatten(1).float(), layer.bias
        computed = vectors.float() @ weight.T + (0 if bias is None else bias.float())
        if not relative_error(computed, expected.float()) <= ALLOWED_ROUNDING.get(
            gave.dtype, ALLOWED_ROUNDING[torch.float32]
        ):
            raise NbkitError(f"{name} doesn't give its weights times what it reads: choose another layer")
        positions[number] = expected.shape[1]

    with watched(module, layers, take) as run:
        run(few)
    return positions
