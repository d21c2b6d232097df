"""The neuron embedding: what a neuron found in the vector it received (equations 1 and 2), plain and gated.

A plain neuron computes act(h · w_in + b_in). Its embedding h * w_in is the first step of that computation: the sum
of the embedding and the bias is the pre-activation.

A gated neuron (Llama's MLP) computes act(h · w_gate + b_gate) * (h · w_in + b_in): two weight vectors, so two
products in the sense of equation 1. The gradient embedding unites them: h times the gradient of the neuron's
activation with respect to h. For a plain neuron that is h * w_in * act'(pre), the paper's embedding scaled by one
number an example; where act' is positive, all cosine distances agree.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array, checked_number

ArrayT = TypeVar("ArrayT", np.ndarray, torch.Tensor)
Activation = Callable[[torch.Tensor], torch.Tensor]

EMBEDDING_NAMES = {
    "input": "neuron embedding",
    "gradient": "neuron embedding (gradient)",
    "gate": "neuron embedding (gate)",
    "up": "neuron embedding (up)",
    "centered": "pre-MLP vector minus its mean",
    "pre_mlp": "pre-MLP vector",
    "shuffled": "another neuron's weights (control)",
}
"""What tables and figures call the kinds of embedding; a plain neuron has no more than `input` and the last three."""


def neuron_embeddings(pre_mlp: Float[ArrayT, "... d"], w_in: Float[ArrayT, " d"]) -> Float[ArrayT, "... d"]:
    """Equations 1 and 2: the element-wise product of the vector a neuron reads and the neuron's input weights.

    Args:
        pre_mlp: (..., d) vectors immediately before the layer, NumPy or PyTorch.
        w_in: (d,) the neuron's input weights, of the same library.

    Returns:
        (..., d) embeddings, same library and dtype as given.

    Raises:
        NbkitError: the widths differ, `w_in` is not one vector, or they hold something else than real numbers.
    """
    pre_mlp, w_in = _checked(pre_mlp, w_in)
    product: ArrayT = pre_mlp * w_in
    return product


def gradient_embeddings(
    pre_mlp: Float[ArrayT, "n d"], w_in: Float[ArrayT, " d"], b_in: float, activation: Activation
) -> Float[ArrayT, "n d"]:
    """The gradient embedding of a plain neuron: h * w_in * act'(h · w_in + b_in).

    Args:
        pre_mlp: (n, d) vectors immediately before the layer, NumPy or PyTorch.
        w_in: (d,) the neuron's input weights.
        b_in: the neuron's bias.
        activation: any element-wise PyTorch function; its derivative comes from autograd.

    Returns:
        (n, d) embeddings, same library and dtype as given, detached.

    Raises:
        NbkitError: the widths differ, `w_in` is not one vector, or they hold something else than real numbers.
    """
    pre_mlp, w_in = _checked(pre_mlp, w_in)
    h, w = _wide(pre_mlp, w_in)
    _, slope = _value_and_derivative(activation, h @ w + _bias("b_in", b_in))
    return _like(h * w * slope[..., None], pre_mlp)


def gated_gradient_embeddings(
    pre_mlp: Float[ArrayT, "n d"],
    w_gate: Float[ArrayT, " d"],
    w_in: Float[ArrayT, " d"],
    activation: Activation,
    b_gate: float = 0.0,
    b_in: float = 0.0,
) -> Float[ArrayT, "n d"]:
    """The gradient embedding of a gated neuron act(g) * u, where g = h · w_gate + b_gate and u = h · w_in + b_in.

    h * (act'(g) * u * w_gate + act(g) * w_in), by the product rule.

    Args:
        pre_mlp: (n, d) vectors immediately before the layer, NumPy or PyTorch.
        w_gate: (d,) the weights inside the activation function.
        w_in: (d,) the weights outside it (Llama's `up` projection).
        activation: any element-wise PyTorch function; its derivative comes from autograd.
        b_gate: the bias inside the activation function; Llama has none.
        b_in: the bias outside it; Llama has none.

    Returns:
        (n, d) embeddings, same library and dtype as given, detached.

    Raises:
        NbkitError: the widths differ, a weight is not one vector, or they hold something else than real numbers.
    """
    pre_mlp, w_gate, w_in = _checked(pre_mlp, w_gate, w_in)
    h, gate, up = _wide(pre_mlp, w_gate, w_in)
    of_gate, of_up = _shares(h, gate, up, activation, b_gate, b_in)
    return _like(h * (of_gate[..., None] * gate + of_up[..., None] * up), pre_mlp)


def gated_weights(
    pre_mlp: Float[np.ndarray, "n d"],
    w_gate: Float[np.ndarray, " d"],
    w_in: Float[np.ndarray, " d"],
    activation: Activation,
    b_gate: float = 0.0,
    b_in: float = 0.0,
) -> Float[np.ndarray, " d"]:
    """The weights with which a gated neuron reads some vectors on the whole: the mean over them of the gradient of its
    activation, mean(act'(g) * u) * w_gate + mean(act(g)) * w_in.

    The gradient is another one at each vector. Its mean is one reader of them all, as a plain neuron's `w_in` is.

    Args:
        pre_mlp: (n, d) vectors immediately before the layer, at least one.
        w_gate, w_in, activation, b_gate, b_in: as for `gated_gradient_embeddings`.

    Returns:
        (d,) weights, in the dtype of the vectors.

    Raises:
        NbkitError: the widths differ, a weight is not one vector, or they hold something else than real numbers.
    """
    pre_mlp, w_gate, w_in = _checked(pre_mlp, w_gate, w_in)
    h, gate, up = _wide(pre_mlp, w_gate, w_in)
    of_gate, of_up = _shares(h, gate, up, activation, b_gate, b_in)
    return _like(of_gate.mean() * gate + of_up.mean() * up, pre_mlp)


def _shares(h: Any, gate: Any, up: Any, activation: Activation, b_gate: float, b_in: float) -> tuple[Any, Any]:
    """What a gated activation's gradient at each vector holds of `w_gate` and of `w_in`: act'(g) * u and act(g)."""
    value, slope = _value_and_derivative(activation, h @ gate + _bias("b_gate", b_gate))
    return slope * (h @ up + _bias("b_in", b_in)), value


def _value_and_derivative(activation: Activation, pre: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.enable_grad():  # a caller may be under no_grad
        x = pre.detach().requires_grad_(True)
        value = activation(x)
        (slope,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), slope


def _checked(pre_mlp: ArrayT, *weights: ArrayT) -> tuple[ArrayT, ...]:
    """The vectors and the weights, all of NumPy or, if one is, all of PyTorch.

    Raises:
        NbkitError: they hold something else than real numbers, or their widths differ.
    """
    given: list[Any] = [pre_mlp, *weights]
    names = ("The pre-MLP vectors", *["The weights"] * len(weights))
    tensor = next((values for values in given if isinstance(values, torch.Tensor)), None)
    for place, (values, name) in enumerate(zip(given, names, strict=True)):
        if not isinstance(values, torch.Tensor):
            given[place] = checked_array(values, name)
            if tensor is not None:
                given[place] = _as_torch(given[place]).to(tensor.device)
        elif values.is_complex():
            raise NbkitError(f"{name} hold complex numbers: give real numbers.")
        elif not values.is_floating_point():
            given[place] = values.float()
    vectors, *others = given
    for each in others:
        if each.ndim != 1 or vectors.ndim == 0 or vectors.shape[-1] != each.shape[0]:
            raise NbkitError(
                f"The pre-MLP vectors have shape {tuple(vectors.shape)} and the weights {tuple(each.shape)}: "
                "pass vectors of shape (..., d) and one neuron's weights of shape (d,)."
            )
    return tuple(given)


def _wide(*values: np.ndarray | torch.Tensor) -> list[torch.Tensor]:
    """Tensors of one precision, float32 at least: sums over a width in half precision lose what they add."""
    tensors = [_as_torch(each) for each in values]
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return [tensor.to(dtype) for tensor in tensors]


def _bias(name: str, value: float) -> float:
    return checked_number(name, value, "give a finite number", -math.inf, math.inf)


def _as_torch(values: np.ndarray | torch.Tensor) -> torch.Tensor:
    if isinstance(values, torch.Tensor):
        return values.detach()
    return torch.from_numpy(np.array(values))  # a copy: an atlas hands out read-only arrays, which PyTorch warns about


def _like(values: torch.Tensor, example: ArrayT) -> ArrayT:
    return (
        values.numpy().astype(example.dtype, copy=False)
        if isinstance(example, np.ndarray)
        else values.to(example.dtype)
    )
