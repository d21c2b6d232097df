"""A transformer whose MLP neurons can be captured: its layers, their weights, and what their neurons receive."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nbkit.errors import NbkitError
from nbkit.models.weights import NeuronWeights, Norm, activation_function, as_float, relative_error

# Largest error, relative to the largest value of the layer, that rounding alone explains.
ROUNDING = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 5e-2}

Capture = Callable[[int, Float[Tensor, "b t d_model"], Float[Tensor, "b t d_mlp"]], None]


class _StopForward(Exception):  # noqa: N818 - a signal, not an error
    """Ends a forward pass after the last layer that was asked for."""


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A transformer whose MLP neurons can be captured. Made by `load_model`."""

    name: str
    """The name, hub id or folder it was opened by."""
    bridge: Any
    """TransformerLens' `TransformerBridge` of the model."""
    tokenizer: Any
    """Its Hugging Face tokenizer."""
    dtype: torch.dtype
    """Precision of the weights and of the forward passes."""
    device: torch.device
    """Where the weights are."""
    attention: Literal["sdpa", "eager"] = field(default="eager")
    """Hugging Face attention implementation of the forward passes."""

    @property
    def n_layers(self) -> int:
        """Transformer blocks."""
        return int(self.bridge.cfg.n_layers)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.bridge.cfg.d_model)

    @property
    def d_mlp(self) -> int:
        """MLP neurons of a layer."""
        return int(self.blocks[0].mlp.W_in.shape[-1])

    @property
    def d_vocabulary(self) -> int:
        """Rows of the token embedding: every token id is below."""
        return int(self.bridge.original_model.get_input_embeddings().weight.shape[0])

    @property
    def n_ctx(self) -> int:
        """Longest context the model takes, in tokens."""
        return int(self.bridge.cfg.n_ctx)

    @property
    def gated(self) -> bool:
        """Whether the MLPs are gated, as Llama's."""
        return self.blocks[0].mlp.W_gate is not None

    @property
    def causal(self) -> bool:
        """Whether a token sees only those before it."""
        return bool(self.bridge.cfg.attention_dir == "causal")

    @property
    def activation(self) -> str:
        """Name of the activation function, as `transformers` knows it."""
        return str(self.bridge.cfg.act_fn)

    @cached_property
    def blocks(self) -> tuple[Any, ...]:
        """TransformerLens' bridge of every transformer block; read once, since `native` takes them out of the model."""
        return tuple(self.bridge.blocks)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the weights that are in use, with their names, shapes and dtype."""
        with self.native():  # TransformerLens' wrappers and split copies are no part of the model
            weights = self.bridge.original_model.state_dict()
        digest = hashlib.sha256()
        for name, tensor in sorted(weights.items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def neuron_weights(self, layer: int, *, folded: bool = False) -> NeuronWeights:
        """Input weights of the neurons of `layer`.

        Args:
            folded: with the preceding layer norm's scale and shift folded in (see `Norm`): w·scale and b + w·shift.

        Raises:
            NbkitError: if there is no such layer, or `folded` and the layer norm has a zero scale.
        """
        mlp = self._mlp(layer)

        def bias(values: Tensor | None) -> Tensor:
            return torch.zeros(self.d_mlp) if values is None else as_float(values)

        w_in, b_in = as_float(mlp.W_in).T.contiguous(), bias(mlp.b_in)
        w_gate = None if mlp.W_gate is None else as_float(mlp.W_gate).T.contiguous()
        b_gate = None if w_gate is None else bias(mlp.b_gate)
        if folded:
            norm = self.norm(layer)
            b_in, w_in = b_in + w_in @ norm.shift, w_in * norm.scale
            if w_gate is not None and b_gate is not None:
                b_gate, w_gate = b_gate + w_gate @ norm.shift, w_gate * norm.scale
        return NeuronWeights(w_in, b_in, w_gate, b_gate)

    def norm(self, layer: int) -> Norm:
        """The layer norm whose output the MLP of `layer` reads.

        Raises:
            NbkitError: if the MLP doesn't read a layer norm, or a scale of it is zero and can't be divided out.
        """
        block = self.blocks[layer]
        for candidate in (getattr(block, "ln2", None), getattr(block, "ln1", None)):
            if candidate is None:
                continue
            norm = self.norm_weights(candidate)
            name = "ln2" if candidate is getattr(block, "ln2", None) else "ln1"
            if self._reads_norm(layer, name, norm):
                if bool((norm.scale == 0).any()):
                    raise NbkitError(f"layer {layer}: its layer norm has a zero scale; use weights='native'")
                return norm
        raise NbkitError(f"layer {layer}: its MLP doesn't read a layer norm's output; use weights='native'")

    def norm_weights(self, component: Any) -> Norm:
        """What a norm of the model, given as its bridge, multiplies by and adds; 1 and 0 where it has no weights."""
        weight, bias = (getattr(component.original_component, name, None) for name in ("weight", "bias"))
        offset = float(bool(getattr(self.bridge.cfg, "rmsnorm_uses_offset", False)))
        scale = torch.ones(self.d_model) if weight is None else as_float(weight) + offset
        return Norm(scale, torch.zeros_like(scale) if bias is None else as_float(bias))

    def _reads_norm(self, layer: int, name: str, norm: Norm) -> bool:
        normalized, received = f"blocks.{layer}.{name}.hook_normalized", f"blocks.{layer}.mlp.in.hook_in"
        with torch.inference_mode():
            _, cache = self.bridge.run_with_cache(
                self.probe(), names_filter=lambda hook: hook in (normalized, received)
            )
        expected = as_float(cache[normalized]) * norm.scale + norm.shift
        return relative_error(as_float(cache[received]), expected) <= ROUNDING[self.dtype]

    @contextmanager
    def native(self) -> Iterator[None]:
        """Inside, the Hugging Face model runs on its own modules, without TransformerLens' hook points in between.

        A forward pass of the bridge costs up to a quarter more, since it exposes every attention pattern.
        """
        model, _ = self.bridge.original_model, self.blocks
        swapped: list[tuple[nn.Module, str, nn.Module]] = []
        _unwrap(model, swapped)
        before = model.config._attn_implementation
        try:
            model.set_attn_implementation(self.attention)
            yield
        finally:
            model.set_attn_implementation(before)
            for parent, name, component in reversed(swapped):
                parent._modules[name] = component

    @contextmanager
    def captured(self, layers: Sequence[int], capture: Capture) -> Iterator[Callable[..., None]]:
        """Gives a function that runs tokens through the model and hands every layer's MLP to `capture`.

        The function takes the token ids, (b, t), and by name what else the Hugging Face model shall be given.

        `capture(layer, pre_mlp, activations)` is called once a layer, in order, with the vectors that the neurons'
        input weights receive, (b, t, d_model), and the neurons' activations, (b, t, d_mlp). The pass ends after the
        last of `layers`: nothing behind its activations is computed, the unembedding never.
        """
        received: dict[int, Tensor] = {}
        last = max(layers)
        mlps = {layer: self._mlp(layer) for layer in layers}
        with self.native():
            inside = {id(module) for module in self.bridge.original_model.modules()}
            handles = []
            for layer, mlp in mlps.items():
                reader = getattr(mlp, "in").original_component
                # A fused gate and up projection is split by TransformerLens; the whole MLP then reads the same vector.
                source = reader if id(reader) in inside else mlp.original_component

                def keep_input(_: nn.Module, args: tuple[Tensor, ...], layer: int = layer) -> None:
                    received[layer] = args[0]

                def hand_over(_: nn.Module, args: tuple[Tensor, ...], layer: int = layer) -> None:
                    capture(layer, received.pop(layer), args[0])
                    if layer == last:
                        raise _StopForward

                handles += [
                    source.register_forward_pre_hook(keep_input),
                    mlp.out.original_component.register_forward_pre_hook(hand_over),
                ]

            def run(tokens: Int[Tensor, "b t"], **inputs: Tensor) -> None:
                try:
                    with torch.inference_mode():
                        self.bridge.original_model(input_ids=tokens.to(self.device).long(), use_cache=False, **inputs)
                except _StopForward:
                    pass

            try:
                yield run
            finally:
                for handle in handles:
                    handle.remove()

    def check(self) -> None:
        """Checks that captured vectors and weights reproduce what the model computes, on a few tokens of every layer.

        Raises:
            NbkitError: naming the first layer whose pre-activation or activation is not reproduced.
        """
        pre = ("mlp.hook_pre", "mlp.hook_pre_linear")
        with torch.inference_mode():
            _, cache = self.bridge.run_with_cache(self.probe(), names_filter=lambda name: name.endswith(pre))
        act_fn, tolerance = activation_function(self.activation), ROUNDING[self.dtype]

        def compare(layer: int, pre_mlp: Tensor, activations: Tensor) -> None:
            weights, h = self.neuron_weights(layer), as_float(pre_mlp)
            linear = f"blocks.{layer}.mlp.hook_pre" + ("_linear" if self.gated else "")
            errors = {
                "pre-activation": relative_error(h @ weights.w_in.T + weights.b_in, as_float(cache[linear])),
                "activation": relative_error(weights.activations(h, act_fn), as_float(activations)),
            }
            for what, error in errors.items():
                if not error <= tolerance:  # a NaN is an error too
                    raise NbkitError(
                        f"model {self.name!r}, layer {layer}: the captured pre-MLP vector and the weights don't "
                        f"reproduce the {what} (relative error {error:.1e}, {tolerance:.0e} allowed); this "
                        "architecture is not supported"
                    )

        with self.captured(range(self.n_layers), compare) as run:
            run(self.probe())

    def _mlp(self, layer: int) -> Any:
        if not 0 <= layer < self.n_layers:
            raise NbkitError(f"model {self.name!r} has no layer {layer}: its layers are 0 to {self.n_layers - 1}")
        return self.blocks[layer].mlp

    def probe(self) -> Int[Tensor, "2 t"]:
        """Token ids to try the model on: two random contexts of 16 tokens, or as many as it takes, always the same."""
        generator = torch.Generator().manual_seed(0)
        shape = (2, min(16, self.n_ctx))
        return torch.randint(self.d_vocabulary, shape, generator=generator).to(self.device)


def _unwrap(module: nn.Module, swapped: list[tuple[nn.Module, str, nn.Module]]) -> None:
    """Puts the Hugging Face modules back where TransformerLens wrapped them; remembers what it replaced."""
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    for name, child in list(module._modules.items()):
        while isinstance(child, GeneralizedComponent) and child.original_component is not None:
            swapped.append((module, name, child))
            child = child.original_component
            module._modules[name] = child
        if child is not None:
            _unwrap(child, swapped)
