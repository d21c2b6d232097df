"""Watching layers of a module: what they read and give, and which activation function follows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nbkit.errors import NbkitError
from nbkit.models.weights import activation_function

ACTIVATIONS = ("relu", "gelu", "gelu_pytorch_tanh", "silu", "tanh", "sigmoid", "leaky_relu", "relu6", "mish")
"""Names of the activation functions that are looked for."""


@contextmanager
def watched(
    module: nn.Module, layers: Sequence[nn.Module], take: Callable[[int, Tensor, Tensor], None]
) -> Iterator[Callable[[Tensor], None]]:
    """Gives a function that runs a module and hands to `take` the number of each layer, what it read and what it gave.

    Raises:
        NbkitError: a layer isn't called once.
    """
    counts = [0] * len(layers)

    def hook(number: int) -> Callable[..., None]:
        def called(_: nn.Module, args: tuple[Any, ...], gave: Tensor) -> None:
            counts[number] += 1
            take(number, args[0], gave)

        return called

    handles = [layer.register_forward_hook(hook(number)) for number, layer in enumerate(layers)]
    training = [each for each in module.modules() if each.training]

    def run(inputs: Tensor) -> None:
        counts[:] = [0] * len(layers)
        with torch.inference_mode():
            module(inputs)
        if any(count != 1 for count in counts):
            raise NbkitError(f"a layer is called {max(counts) if 0 not in counts else 0} times in a pass, not once")

    module.eval()
    try:
        yield run
    finally:
        for handle in handles:
            handle.remove()
        for each in training:
            each.training = True


class _Consumers(TorchFunctionMode):
    """Records what is done with the outputs of layers."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.outputs: list[Tensor | None] = [None] * layers
        self.before: list[Tensor | None] = [None] * layers
        self.calls: list[list[tuple[str, object]]] = [[] for _ in range(layers)]

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        number = next((i for i, each in enumerate(self.outputs) if args and each is not None and args[0] is each), None)
        gave = function(*args, **(kwargs or {}))
        if number is not None and isinstance(gave, Tensor):
            self.calls[number].append((getattr(function, "__name__", "a function"), gave.detach().clone()))
        return gave


def functions_behind(
    module: nn.Module,
    names: Sequence[str],
    layers: Sequence[nn.Module],
    inputs: Tensor,
    told: str | Mapping[str, str] | None,
) -> list[str]:
    """The activation function behind each layer.

    Raises:
        NbkitError: it isn't told, and what follows isn't known.
    """
    given = {} if told is None else dict(told) if isinstance(told, Mapping) else dict.fromkeys(names, told)
    if foreign := set(given) - set(names):
        raise NbkitError(f"activation names {min(foreign)!r}, which is none of the layers {', '.join(names)}")
    for function in given.values():
        activation_function(function)
    watch = _Consumers(len(layers))

    def take(number: int, _: Tensor, gave: Tensor) -> None:
        watch.before[number] = gave.detach().clone()  # a function may work in place
        watch.outputs[number] = gave

    with watched(module, layers, take) as run, watch:
        run(inputs)
    return [given.get(name) or _function(name, watch, number) for number, name in enumerate(names)]


def _function(name: str, watch: _Consumers, number: int) -> str:
    pre, calls = watch.before[number], watch.calls[number]
    assert pre is not None
    if not calls:
        return "linear"
    for function in ACTIVATIONS:
        expected = activation_function(function)(pre)
        for _, gave in calls:
            if isinstance(gave, Tensor) and gave.shape == pre.shape and torch.allclose(gave, expected, atol=1e-6):
                return function
    raise NbkitError(
        f"{name}'s output goes to {calls[0][0]}, which is no activation function that is known: give activation, "
        "such as 'relu', or 'linear' for the output itself"
    )
