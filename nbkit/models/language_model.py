"""A transformer whose MLP neurons can be captured: its layers, their weights, and what their neurons receive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nbkit.errors import NbkitError
from nbkit.models.bridge import make_bridge
from nbkit.models.fingerprint import fingerprint
from nbkit.models.mlp import Mlp
from nbkit.models.norm import Norm, read_norm
from nbkit.models.probe import context_length, owned_ids, probe
from nbkit.models.trace import trace
from nbkit.models.unembedding import Unembedding, find_unembedding
from nbkit.models.weights import NeuronWeights, activation_function, as_float, relative_error

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
    network: Any
    """The Hugging Face model."""
    tokenizer: Any
    """Its Hugging Face tokenizer, as it was saved."""
    dtype: torch.dtype
    """Precision of the weights and of the forward passes."""
    device: torch.device
    """Where the weights are."""
    blocks: tuple[nn.Module, ...]
    """Its transformer blocks, in order."""
    mlps: tuple[Mlp, ...]
    """Where each block's MLP is."""

    @property
    def n_layers(self) -> int:
        """Transformer blocks."""
        return len(self.blocks)

    @cached_property
    def d_model(self) -> int:
        """Width of the vectors that the neurons read."""
        return int(self.mlps[0].linear.weight(self.blocks[0]).shape[1])

    @property
    def d_mlp(self) -> int:
        """MLP neurons of a layer."""
        return self.mlps[0].linear.stop - self.mlps[0].linear.start

    @property
    def d_vocabulary(self) -> int:
        """Rows of the token embedding: every token id is below."""
        return int(self.network.get_input_embeddings().weight.shape[0])

    @cached_property
    def token_ids(self) -> Int[np.ndarray, " n"]:
        """The ids of the tokenizer's tokens, ascending: rows of the embedding that no token owns are not among them."""
        return owned_ids(self.tokenizer, self.network)

    @cached_property
    def n_ctx(self) -> int:
        """Longest context the model takes, in tokens."""
        return context_length(self.network)

    @property
    def gated(self) -> bool:
        """Whether the MLPs are gated, as Llama's."""
        return self.mlps[0].gate is not None

    @cached_property
    def causal(self) -> bool:
        """Whether a token sees only those before it: seen on a few tokens, of which the last is changed."""
        tokens, seen = self.probe(), []
        changed = tokens.clone()
        first, second = self.token_ids[:2].tolist()
        changed[:, -1] = torch.where(tokens[:, -1] == first, second, first)
        with self.captured([self.n_layers - 1], lambda _, __, activations: seen.append(as_float(activations))) as run:
            run(tokens)
            run(changed)
        return relative_error(seen[1][:, :-1], seen[0][:, :-1]) <= 1e-5

    @property
    def activation(self) -> str:
        """Name of the activation function, as `transformers` knows it."""
        return self.mlps[0].activation

    @property
    def attention(self) -> str:
        """Hugging Face attention implementation of the forward passes: `sdpa` where it is right, else `eager`."""
        return str(self.network.config._attn_implementation)

    @cached_property
    def bridge(self) -> Any:
        """TransformerLens' `TransformerBridge` of the model, made when first asked for; it shares the weights.

        Raises:
            NbkitError: if TransformerLens doesn't know the architecture.
        """
        return make_bridge(self.name, self.network, self.tokenizer)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the weights that an atlas is made of, with their names, shapes and dtype: embeddings, blocks, and
        where neurons promote tokens by them final norm and unembedding."""
        return fingerprint(self.network, trace(self.network, self.probe()), self.unembedding)

    @cached_property
    def unembedding(self) -> Unembedding | None:
        """The way from the neurons' output weights to the logits; None if it isn't direct."""
        return find_unembedding(self.network, trace(self.network, self.probe()), self.mlps)

    def neuron_weights(self, layer: int, *, folded: bool = False) -> NeuronWeights:
        """Input weights of the neurons of `layer`.

        Args:
            folded: with the preceding layer norm's scale and shift folded in (see `Norm`): w·scale and b + w·shift.

        Raises:
            NbkitError: if there is no such layer, or `folded` and the layer norm has a zero scale.
        """
        mlp, block = self._mlp(layer), self.blocks[layer]
        w_in, b_in = mlp.linear.weight(block), mlp.linear.bias(block)
        w_gate, b_gate = (None, None) if mlp.gate is None else (mlp.gate.weight(block), mlp.gate.bias(block))
        if folded:
            norm = self.norm(layer)
            b_in, w_in = b_in + w_in @ norm.shift, w_in * norm.scale
            if w_gate is not None and b_gate is not None:
                b_gate, w_gate = b_gate + w_gate @ norm.shift, w_gate * norm.scale
        return NeuronWeights(w_in, b_in, w_gate, b_gate)

    def output_weights(self, layer: int) -> nn.Module:
        """The linear layer that reads the activations of `layer`."""
        return self.blocks[layer].get_submodule(self._mlp(layer).out)

    def norm(self, layer: int) -> Norm:
        """The layer norm whose output the MLP of `layer` reads.

        Raises:
            NbkitError: if the MLP doesn't read a layer norm, or a scale of it is zero and can't be divided out.
        """
        name = self._mlp(layer).norm
        norm = None if name is None else read_norm(self.blocks[layer].get_submodule(name), self.d_model)
        if norm is None:
            raise NbkitError(f"layer {layer}: its MLP doesn't read a layer norm's output; use weights='native'")
        if bool((norm.scale == 0).any()):
            raise NbkitError(f"layer {layer}: its layer norm has a zero scale; use weights='native'")
        return norm

    @contextmanager
    def captured(self, layers: Sequence[int], capture: Capture) -> Iterator[Callable[..., None]]:
        """Gives a function that runs tokens through the model and hands every layer's MLP to `capture`.

        The function takes the token ids, (b, t), and by name what else the Hugging Face model shall be given.

        `capture(layer, pre_mlp, activations)` is called once a layer, in order, with the vectors that the neurons'
        input weights receive, (b, t, d_model), and the neurons' activations, (b, t, d_mlp). The pass ends after the
        last of `layers`: nothing behind its activations is computed, the unembedding never.
        """
        received: dict[int, Tensor] = {}
        shape, last = list[int](), max(layers)
        mlps = {layer: self._mlp(layer) for layer in layers}
        handles = []
        for layer, mlp in mlps.items():

            def keep_input(_: nn.Module, args: tuple[Tensor, ...], layer: int = layer) -> None:
                received[layer] = args[0]

            def hand_over(_: nn.Module, args: tuple[Tensor, ...], layer: int = layer) -> None:
                # OPT's blocks take all tokens of a batch as one list
                capture(layer, received.pop(layer).reshape(*shape, -1), args[0].reshape(*shape, -1))
                if layer == last:
                    raise _StopForward

            handles.append(self.blocks[layer].get_submodule(mlp.reader).register_forward_pre_hook(keep_input))
            handles.append(self.output_weights(layer).register_forward_pre_hook(hand_over))

        def run(tokens: Int[Tensor, "b t"], **inputs: Tensor) -> None:
            shape[:] = tokens.shape
            try:
                with torch.inference_mode():
                    self.network(input_ids=tokens.to(self.device).long(), use_cache=False, **inputs)
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
            NbkitError: naming the first layer whose pre-activation or activation is not reproduced; or if a context's
                vectors are others in company.
        """
        act_fn, tolerance = activation_function(self.activation), ROUNDING[self.dtype]
        sums: dict[int, Tensor] = {}

        def keep_sums(layer: int) -> Callable[..., None]:
            rows = self.mlps[layer].linear
            return lambda _, __, output: sums.update({layer: as_float(output[..., rows.start : rows.stop])})

        def compare(layer: int, pre_mlp: Tensor, activations: Tensor) -> None:
            weights, h = self.neuron_weights(layer), as_float(pre_mlp)
            errors = {
                "pre-activation": relative_error(
                    (h @ weights.w_in.T + weights.b_in).reshape(sums[layer].shape), sums[layer]
                ),
                "activation": relative_error(weights.activations(h, act_fn), as_float(activations)),
            }
            for what, error in errors.items():
                if not error <= tolerance:  # a NaN is an error too
                    raise NbkitError(
                        f"model {self.name!r}, layer {layer}: the captured pre-MLP vector and the weights don't "
                        f"reproduce the {what} (relative error {error:.1e}, {tolerance:.0e} allowed); this "
                        "architecture is not supported"
                    )

        readers = [block.get_submodule(mlp.reader) for block, mlp in zip(self.blocks, self.mlps, strict=True)]
        handles = [reader.register_forward_hook(keep_sums(layer)) for layer, reader in enumerate(readers)]
        try:
            with self.captured(range(self.n_layers), compare) as run:
                run(self.probe())
        finally:
            for handle in handles:
                handle.remove()
        both: list[Tensor] = []
        with self.captured([self.n_layers - 1], lambda _, pre_mlp, __: both.append(as_float(pre_mlp))) as run:
            run(self.probe())
            run(self.probe()[1:])
        if not relative_error(both[0][1:], both[1]) <= tolerance:
            raise NbkitError(f"model {self.name!r}: its layers don't keep the contexts of a batch apart; not supported")

    def _mlp(self, layer: int) -> Mlp:
        if not 0 <= layer < self.n_layers:
            raise NbkitError(f"model {self.name!r} has no layer {layer}: its layers are 0 to {self.n_layers - 1}")
        return self.mlps[layer]

    def probe(self) -> Int[Tensor, "2 t"]:
        """Token ids to try the model on: two random contexts, always the same."""
        return probe(self.token_ids, self.tokenizer.all_special_ids, self.n_ctx).to(self.device)
