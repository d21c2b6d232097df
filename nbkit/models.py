"""A language model opened through TransformerLens: its MLP layers, their weights, and what their neurons receive."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nbkit.errors import NbkitError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# Largest error, relative to the largest value of the layer, that rounding alone explains.
ROUNDING = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 5e-2}

Capture = Callable[[int, Float[Tensor, "b t d_model"], Float[Tensor, "b t d_mlp"]], None]


class _StopForward(Exception):  # noqa: N818 - a signal, not an error
    """Ends a forward pass after the last layer that was asked for."""


@dataclass(frozen=True)
class NeuronWeights:
    """The weights with which the neurons of one layer read their input, in float32."""

    w_in: Float[Tensor, "d_mlp d_model"]
    """Input weights, a row per neuron; in a gated MLP those of the linear (`up`) branch."""
    b_in: Float[Tensor, " d_mlp"]
    """Bias of `w_in`; zeros where the model has none."""
    w_gate: Float[Tensor, "d_mlp d_model"] | None
    """Gate weights, a row per neuron; None in a plain MLP."""
    b_gate: Float[Tensor, " d_mlp"] | None
    """Bias of `w_gate`."""

    def activations(
        self, pre_mlp: Float[Tensor, "... d_model"], act_fn: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "... d_mlp"]:
        """The neurons' activations on the vectors they receive: act(h·w + b), or act(h·w_gate)·(h·w_in) if gated."""
        linear = pre_mlp @ self.w_in.T + self.b_in
        if self.w_gate is None:
            return act_fn(linear)
        assert self.b_gate is not None
        return act_fn(pre_mlp @ self.w_gate.T + self.b_gate) * linear


@dataclass(frozen=True)
class Norm:
    """The layer norm whose output an MLP reads: output = normalized * scale + shift."""

    scale: Float[Tensor, " d_model"]
    shift: Float[Tensor, " d_model"]


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
    device: torch.device
    attention: Literal["sdpa", "eager"] = field(default="eager")
    """Hugging Face attention implementation of the forward passes."""

    @property
    def n_layers(self) -> int:
        return int(self.bridge.cfg.n_layers)

    @property
    def d_model(self) -> int:
        return int(self.bridge.cfg.d_model)

    @property
    def d_mlp(self) -> int:
        return int(self.blocks[0].mlp.W_in.shape[-1])

    @property
    def n_ctx(self) -> int:
        """Longest context the model takes, in tokens."""
        return int(self.bridge.cfg.n_ctx)

    @property
    def gated(self) -> bool:
        return self.blocks[0].mlp.W_gate is not None

    @property
    def causal(self) -> bool:
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
            return torch.zeros(self.d_mlp) if values is None else _float(values)

        w_in, b_in = _float(mlp.W_in).T.contiguous(), bias(mlp.b_in)
        w_gate = None if mlp.W_gate is None else _float(mlp.W_gate).T.contiguous()
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
            module = candidate.original_component
            scale = _float(module.weight) + float(bool(getattr(self.bridge.cfg, "rmsnorm_uses_offset", False)))
            bias = getattr(module, "bias", None)
            shift = torch.zeros_like(scale) if bias is None else _float(bias)
            name = "ln2" if candidate is getattr(block, "ln2", None) else "ln1"
            if self._reads_norm(layer, name, scale, shift):
                if bool((scale == 0).any()):
                    raise NbkitError(f"layer {layer}: its layer norm has a zero scale; use weights='native'")
                return Norm(scale, shift)
        raise NbkitError(f"layer {layer}: its MLP doesn't read a layer norm's output; use weights='native'")

    def _reads_norm(self, layer: int, norm: str, scale: Tensor, shift: Tensor) -> bool:
        normalized, received = f"blocks.{layer}.{norm}.hook_normalized", f"blocks.{layer}.mlp.in.hook_in"
        with torch.inference_mode():
            _, cache = self.bridge.run_with_cache(
                self._probe(), names_filter=lambda name: name in (normalized, received)
            )
        expected = _float(cache[normalized]) * scale + shift
        return _relative_error(_float(cache[received]), expected) <= ROUNDING[self.dtype]

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
    def captured(self, layers: Sequence[int], capture: Capture) -> Iterator[Callable[[Int[Tensor, "b t"]], None]]:
        """Gives a function that runs tokens through the model and hands every layer's MLP to `capture`.

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

            def run(tokens: Int[Tensor, "b t"]) -> None:
                try:
                    with torch.inference_mode():
                        self.bridge.original_model(input_ids=tokens.to(self.device).long(), use_cache=False)
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
            _, cache = self.bridge.run_with_cache(self._probe(), names_filter=lambda name: name.endswith(pre))
        act_fn, tolerance = activation_function(self.activation), ROUNDING[self.dtype]

        def compare(layer: int, pre_mlp: Tensor, activations: Tensor) -> None:
            weights, h = self.neuron_weights(layer), _float(pre_mlp)
            linear = f"blocks.{layer}.mlp.hook_pre" + ("_linear" if self.gated else "")
            errors = {
                "pre-activation": _relative_error(h @ weights.w_in.T + weights.b_in, _float(cache[linear])),
                "activation": _relative_error(weights.activations(h, act_fn), _float(activations)),
            }
            for what, error in errors.items():
                if not error <= tolerance:  # a NaN is an error too
                    raise NbkitError(
                        f"model {self.name!r}, layer {layer}: the captured pre-MLP vector and the weights don't "
                        f"reproduce the {what} (relative error {error:.1e}, {tolerance:.0e} allowed); this "
                        "architecture is not supported"
                    )

        with self.captured(range(self.n_layers), compare) as run:
            run(self._probe())

    def _mlp(self, layer: int) -> Any:
        if not 0 <= layer < self.n_layers:
            raise NbkitError(f"model {self.name!r} has no layer {layer}: its layers are 0 to {self.n_layers - 1}")
        return self.blocks[layer].mlp

    def _probe(self) -> Int[Tensor, "2 16"]:
        generator = torch.Generator().manual_seed(0)
        shape = (2, min(16, self.n_ctx))
        vocabulary = self.bridge.original_model.get_input_embeddings().weight.shape[0]
        return torch.randint(vocabulary, shape, generator=generator).to(self.device)


def load_model(
    name: str | Path,
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    device: str = "auto",
) -> LanguageModel:
    """Opens a language model and checks that its neurons can be captured.

    Args:
        name: `smollm2-135m` (arrives through the package client), a Hugging Face hub id such as `gpt2`, or a local
            Hugging Face folder. Plain and gated MLPs, causal and bidirectional.
        dtype: `auto` is bfloat16 where the processor or GPU computes it natively, else float32.
        device: a torch device; `auto` is the first GPU, else the CPU.

    Raises:
        NbkitError: unknown model, no source in reach, weights that are not finite, or an architecture without plain
            or gated MLP neurons.
    """
    target = _device(device)
    if dtype != "auto" and dtype not in DTYPES:
        raise NbkitError(f"unknown dtype {dtype!r}: choose auto, {', '.join(DTYPES)}")
    precision = _native_dtype(target) if dtype == "auto" else DTYPES[dtype]
    bridge = _boot(str(name), precision, target)
    _check_mlps(str(name), bridge)
    model = LanguageModel(str(name), bridge, bridge.tokenizer, precision, target)
    with model.native():
        for tensor_name, tensor in bridge.original_model.state_dict().items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise NbkitError(
                    f"model {str(name)!r}: weight {tensor_name!r} holds NaN or infinite values; the file is damaged or "
                    f"its numbers are too large for {str(precision).removeprefix('torch.')}"
                )
    fast = replace(model, attention="sdpa")
    try:
        fast.check()
    except (NbkitError, ValueError, ImportError):
        # Some models are only right, or only there, with eager attention (soft-capped scores, for instance).
        model.check()
        return model
    return fast


def activation_function(name: str) -> Callable[[Tensor], Tensor]:
    """The activation function that `transformers` knows by `name`.

    Raises:
        NbkitError: if it knows none of that name.
    """
    from transformers.activations import ACT2FN

    try:
        function: Callable[[Tensor], Tensor] = ACT2FN[name]
    except KeyError:
        raise NbkitError(f"unknown activation function {name!r}") from None
    return function


def _boot(name: str, dtype: torch.dtype, device: torch.device) -> Any:
    from transformer_lens.model_bridge import TransformerBridge

    source = _source(name)
    try:
        return TransformerBridge.boot_transformers(source, dtype=dtype, device=str(device))
    # Whatever transformers, the hub client or the file system raise, the user's way out is one.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise NbkitError(
            f"can't open model {name!r}: give smollm2-135m, a hub id that is in reach, or a local Hugging Face folder "
            f"({type(error).__name__}: {reason})"
        ) from error


def _source(name: str) -> str:
    """The local folder of a model, or its hub id."""
    from nbkit import assets

    if name in assets.ASSETS:
        return str(assets.fetch(name))
    folder = Path(name).expanduser()
    if folder.exists() or name.startswith((".", "/", "~")):
        if not (folder / "config.json").is_file():
            raise NbkitError(f"no model in folder {name!r}: a local model is a Hugging Face folder with a config.json")
        return str(folder)
    if not assets.is_offline():
        return name
    from huggingface_hub import snapshot_download

    try:
        return str(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError) as error:
        raise NbkitError(
            f"model {name!r} is not in the hub client's cache, and NBKIT_OFFLINE forbids fetching it: unset "
            "NBKIT_OFFLINE, or give smollm2-135m or a local Hugging Face folder"
        ) from error


def _check_mlps(name: str, bridge: Any) -> None:
    """Refuses a model with a layer whose neurons have no input weights of their own, or another number of neurons."""
    mlps: list[Any] = [getattr(block, "mlp", None) for block in getattr(bridge, "blocks", [])]
    odd = next((mlp for mlp in mlps if not hasattr(mlp, "W_in") or not hasattr(mlp, "out")), None)
    if not mlps or odd is not None:
        kind = type(odd).__name__ if odd is not None else type(bridge.original_model).__name__
        raise NbkitError(f"model {name!r} has no plain or gated MLP neurons in every layer ({kind}): not supported")
    widths = {int(mlp.W_in.shape[-1]) for mlp in mlps}
    if len(widths) > 1:
        raise NbkitError(f"model {name!r} has layers of {min(widths)} to {max(widths)} neurons: not supported")


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


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        raise NbkitError(f"device {name!r} is not available here ({str(error).splitlines()[0]})") from error


def _native_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def _float(tensor: Tensor) -> Tensor:
    return tensor.detach().float().cpu()


def _relative_error(value: Tensor, expected: Tensor) -> float:
    return float((value - expected).abs().max() / expected.abs().max().clamp_min(1e-12))
