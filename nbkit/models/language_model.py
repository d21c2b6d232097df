"""A transformer whose MLP neurons can be captured: its layers, their weights, and what their neurons receive."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nbkit.errors import NbkitError
from nbkit.method.checks import LARGEST_SIZE, checked_whole
from nbkit.models.bridge import make_bridge
from nbkit.models.capturing import Tokens, check_contexts, find_hook_point, stream
from nbkit.models.fingerprint import fingerprint
from nbkit.models.hook_points import HookPoint, hooked
from nbkit.models.mlp import Mlp
from nbkit.models.norm import Norm, read_norm
from nbkit.models.placement import Placement
from nbkit.models.probe import context_length, owned_ids, probe
from nbkit.models.trace import trace
from nbkit.models.unembedding import Unembedding, find_unembedding
from nbkit.models.vocabulary import vocabulary_sha256
from nbkit.models.weights import NeuronWeights, activation_function, as_float, relative_error

# Largest error, relative to the largest value of the layer, that rounding alone explains.
ALLOWED_ROUNDING = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 5e-2}

Capture = Callable[[int, Float[Tensor, "b t d_model"], Float[Tensor, "b t d_mlp"]], None]


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A transformer whose MLP neurons can be captured. Made by `load_model`."""

    name: str
    """Name, hub id or folder that the model was opened by."""
    network: Any
    """The Hugging Face model."""
    tokenizer: Any
    """The model's Hugging Face tokenizer, as it was saved."""
    dtype: torch.dtype
    """Precision of the weights and of the forward passes."""
    device: torch.device
    """Device of the weights and of what is captured; of a model that is spread, where its first modules compute."""
    blocks: tuple[nn.Module, ...]
    """The model's transformer blocks, in order."""
    mlps: tuple[Mlp, ...]
    """Where each block's MLP is."""
    by_name: bool = False
    """Whether the model was opened by its name alone, so that another process can open it, too."""
    placement: Placement | None = None
    """How the model was asked to be spread over devices when it was opened; None if it wasn't."""

    def __copy__(self) -> LanguageModel:
        """With the same network; not what another process would open."""
        return replace(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> LanguageModel:
        """With the weights as they are now."""
        parts = {name: copy.deepcopy(getattr(self, name), memo) for name in ("network", "blocks", "mlps")}
        return replace(self, **parts)

    @property
    def n_layers(self) -> int:
        """Number of transformer blocks."""
        return len(self.blocks)

    @cached_property
    def d_model(self) -> int:
        """Width of the vectors that the neurons read."""
        return int(self.mlps[0].linear.weight(self.blocks[0]).shape[1])

    @property
    def d_mlp(self) -> int:
        """Number of MLP neurons in a layer."""
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
    def vocabulary_sha256(self) -> str:
        """Checksum of the tokenizer's tokens and their ids."""
        return vocabulary_sha256(self.tokenizer)

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
        received: list[Tensor] = []
        points = [point for layer in layers for point in self.mlp_points(layer)]

        def take(number: int, vectors: Tensor) -> None:
            if number % 2:
                capture(layers[number // 2], received.pop(), vectors)
            else:
                received.append(vectors)

        with hooked(self.network, self.device, points, take) as run:
            yield run

    def hook_point(self, name: str) -> HookPoint:
        """A place in the model where there is a vector for every token.

        Args:
            name: one of TransformerLens' names, with the layer's number for L: `blocks.L.hook_resid_pre`,
                `blocks.L.hook_resid_mid` and `blocks.L.hook_resid_post`, the residual stream before the block, between
                its two parts and after it; `blocks.L.hook_attn_out` and `blocks.L.hook_mlp_out`, what they add to it;
                `blocks.L.mlp.hook_in`, what the MLP reads, and `blocks.L.ln2.hook_normalized`, the same without the
                layer norm's scale and shift; `blocks.L.mlp.hook_post`, the neurons' activations;
                `blocks.L.mlp.hook_out`, what its last layer gives; `blocks.L.attn.hook_z`, what attention's last layer
                reads, head after head. Or the name of a module of the Hugging Face network: what it gives.

                With `:processed` behind it, what TransformerLens has there in a model whose weights it has processed
                (`fold_ln`, `center_writing_weights`): the residual stream and what is added to it minus the mean over
                coordinates where layer norms are LayerNorms, and as they are where they are RMSNorms; for
                `mlp.hook_in`, `ln2.hook_normalized`; that and `mlp.hook_post` as they are.

        Raises:
            NbkitError: the model has no such place, or what is there after processing is not known, as for
                `attn.hook_z`, `mlp.hook_out` and modules.
        """
        return find_hook_point(self.name, self.network, self.blocks, self.mlps, self.probe(), name)

    def capture(
        self, contexts: Tokens, hook: str, batch_size: int = 16, start: int = 0, stop: int | None = None
    ) -> Iterator[Float[Tensor, "b t width"]]:
        """Streams the vectors at a hook point, batch after batch in corpus order, on the model's device and in its
        precision.

        Args:
            contexts: what `load_contexts` gives. The vectors of special positions are left out.
            hook: see `hook_point`.
            batch_size: contexts in a forward pass.
            start: the first context.
            stop: the one before which it ends; None for the last.

        Raises:
            NbkitError: the model has no such hook point, or a vector is not finite.
        """
        self.check_contexts(contexts)
        n, each = len(contexts.tokens), checked_whole("batch_size", batch_size, 1, LARGEST_SIZE)
        first = checked_whole("start", start, 0, n)
        offsets = range(first, n if stop is None else checked_whole("stop", stop, first, n), each)
        return stream(self.network, self.device, self.hook_point(hook), contexts, offsets)

    def check_contexts(self, contexts: object) -> None:
        """Raises `NbkitError` unless something is contexts of the model's tokens, cut with its tokenizer as far as that
        is known."""
        check_contexts(contexts, self.name, self.token_ids, self.vocabulary_sha256)

    def mlp_points(self, layer: int) -> tuple[HookPoint, HookPoint]:
        """What the neurons of a layer read, and their activations."""
        mlp, block = self._mlp(layer), self.blocks[layer]
        read = HookPoint(f"blocks.{layer}.mlp.hook_in", block.get_submodule(mlp.reader), True, self.d_model)
        return read, HookPoint(f"blocks.{layer}.mlp.hook_post", block.get_submodule(mlp.out), True, self.d_mlp)

    def check(self) -> None:
        """Checks that captured vectors and weights reproduce what the model computes, on a few tokens of every layer.

        Raises:
            NbkitError: naming the first layer whose pre-activation or activation is not reproduced; or if a context's
                vectors are others in company.
        """
        act_fn, tolerance = activation_function(self.activation), ALLOWED_ROUNDING[self.dtype]
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
            for company in ([0, 1], [1, 1]):  # as many contexts, since kernels of other shapes round otherwise
                run(self.probe()[company])
        if not relative_error(both[0][1], both[1][1]) <= tolerance:
            raise NbkitError(f"model {self.name!r}: its layers don't keep the contexts of a batch apart; not supported")

    def _mlp(self, layer: int) -> Mlp:
        if not 0 <= layer < self.n_layers:
            raise NbkitError(f"model {self.name!r} has no layer {layer}: its layers are 0 to {self.n_layers - 1}")
        return self.mlps[layer]

    def probe(self) -> Int[Tensor, "2 t"]:
        """Token ids to try the model on: two random contexts, always the same."""
        return probe(self.token_ids, self.tokenizer.all_special_ids, self.n_ctx).to(self.device)
