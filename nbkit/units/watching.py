"""Watching layers of a module: what they read and give, and which activation function follows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nbkit.errors import NbkitError
from nbkit.method.checks import shown
from nbkit.models.weights import activation_function

LOOKED_FOR = ("relu", "gelu", "gelu_pytorch_tanh", "silu", "tanh", "sigmoid", "leaky_relu", "relu6", "mish")
"""Names of the activation functions that are looked for."""
POINTS = (-1.0, 7.0, 1.0, -4.0, 0.5, -0.2, 12.0, -12.0)
"""No two of these functions agree on the first two."""


@contextmanager
def watched(
    module: nn.Module, layers: Mapping[str, nn.Module], take: Callable[[int, Tensor, Tensor], None]
) -> Iterator[Callable[[Tensor], None]]:
    """Gives a function that runs a module and hands to `take` the number of each layer, what it read and what it gave.

    The module is run in its evaluation mode, and left in the one that it was in.

    Raises:
        NbkitError: a layer isn't called once.
    """
    counts = dict.fromkeys(layers, 0)

    def hook(number: int, name: str) -> Callable[..., None]:
        def called(_: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor], gave: Tensor) -> None:
            counts[name] += 1
            take(number, (*args, *kwargs.values())[0], gave)

        return called

    def run(inputs: Tensor) -> None:
        counts.update(dict.fromkeys(layers, 0))
        with torch.inference_mode(), _exact_convolutions():
            module(inputs)
        for name, count in counts.items():
            if count != 1:
                raise NbkitError(f"{name} is called {count} times in a pass: choose a layer that is called once")

    handles = [
        layer.register_forward_hook(hook(number, name), with_kwargs=True)
        for number, (name, layer) in enumerate(layers.items())
    ]
    training = [each for each in module.modules() if each.training]
    module.eval()
    try:
        yield run
    finally:
        for handle in handles:
            handle.remove()
        for each in training:
            each.training = True


def _exact_convolutions() -> AbstractContextManager[None]:
    """Convolutions of a GPU in float32, in the same way every time: cuDNN rounds their factors to 11 bits unless it is
    told otherwise, and then a unit's weights times what it reads are not what it gives."""
    options = {"enabled": torch.backends.cudnn.enabled, "benchmark": False, "deterministic": True, "allow_tf32": False}
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(**options)
    return flags


def functions_behind(
    module: nn.Module, layers: Mapping[str, nn.Module], inputs: Tensor, told: str | Mapping[str, str] | None
) -> list[str]:
    """The activation function behind each layer: as told, or else seen on a few inputs.

    Raises:
        NbkitError: it isn't told, and what follows isn't known.
    """
    given = {} if told is None else dict(told) if isinstance(told, Mapping) else dict.fromkeys(layers, told)
    if foreign := set(given) - set(layers):
        told_of = min(map(shown, foreign))
        raise NbkitError(f"activation names {told_of}, which is none of the layers {', '.join(layers)}")
    for function in given.values():
        activation_function(function)
    watch = _Consumers()

    def take(number: int, _: Tensor, gave: Tensor) -> None:
        watch.outputs[number] = [gave]

    with watched(module, layers, take) as run, watch:
        run(inputs)
    return [given.get(name) or watch.function(number, name) for number, name in enumerate(layers)]


class _Consumers(TorchFunctionMode):
    """Sees what is done with the outputs of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: dict[int, list[Tensor]] = {}
        """Of each layer its output, and what holds the same numbers in the same order."""
        self.found: dict[int, set[str]] = {}
        """The activation functions that read them."""
        self.others: dict[int, set[str]] = {}
        """What else does."""

    def __torch_function__(self, called: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        first = args[0] if args and isinstance(args[0], Tensor) else None
        given = [each for each in _flat((*args, *kwargs.values())) if isinstance(each, Tensor)]
        read = [n for n, known in self.outputs.items() if any(one is each for one in known for each in given)]
        seen = None
        if read and first is not None:
            with suppress(Exception):  # whatever a function says to other numbers is no matter
                seen = called(_grid(first), *args[1:], **kwargs)
        gave = called(*args, **kwargs)
        for number in read if isinstance(gave, Tensor) else ():
            name = None
            if first is not None and isinstance(seen, Tensor) and any(first is one for one in self.outputs[number]):
                grid, values = _grid(first).flatten(), seen.flatten()
                if values.numel() == grid.numel() and torch.equal(values, grid):
                    self.outputs[number].append(gave)
                    continue
                name = next((name for name in LOOKED_FOR if _agrees(values, grid, name)), None)
            if name is None:
                self.others.setdefault(number, set()).add(str(getattr(called, "__name__", "a function")))
            else:
                self.found.setdefault(number, set()).add(name)
                if gave is first:  # in place: what reads it next reads activations
                    self.outputs[number] = []
        return gave

    def function(self, number: int, name: str) -> str:
        """Of a layer the function that follows it."""
        found, others = self.found.get(number, set()), self.others.get(number, set())
        if not others and len(found) <= 1:
            return found.pop() if found else "linear"
        raise NbkitError(
            f"{name}'s output goes to {', '.join(sorted(found | others))}, which is not one activation function that "
            "is known: give activation, such as 'relu', or 'linear' for the output itself"
        )


def _grid(like: Tensor) -> Tensor:
    """Numbers that tell activation functions apart, over and over."""
    points = torch.tensor(POINTS, dtype=like.dtype, device=like.device)
    return points.repeat(-(-like.numel() // len(POINTS)))[: like.numel()].view(like.shape)


def _agrees(values: Tensor, grid: Tensor, name: str) -> bool:
    same = values.shape == grid.shape and values.dtype == grid.dtype
    return same and torch.allclose(values, activation_function(name)(grid), atol=1e-5)


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from _flat(value)
        else:
            yield value
