"""Opening a language model by name, hub id or folder, or taking one that is loaded already."""

from __future__ import annotations

import copyreg
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.files import user_path
from nbkit.method.checks import shown
from nbkit.models.dispatched import check_places, device_of, is_dispatched, named_values
from nbkit.models.fingerprint import used_weights
from nbkit.models.language_model import ALLOWED_ROUNDING, LanguageModel
from nbkit.models.loaded import take
from nbkit.models.mlp import find_mlp
from nbkit.models.placement import Device, Placement
from nbkit.models.probe import context_length, owned_ids, probe
from nbkit.models.sources import open_source
from nbkit.models.trace import Trace, trace
from nbkit.models.weights import as_float, relative_error

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_model(
    model: str | Path | PreTrainedModel | TransformerBridge,
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    device: str = "auto",
    tokenizer: PreTrainedTokenizerBase | None = None,
    device_map: str | Mapping[str, Device] | None = None,
    max_memory: Mapping[int | str, int | str] | None = None,
    offload_folder: str | Path | None = None,
) -> LanguageModel:
    """Opens a language model and checks that its neurons can be captured.

    Args:
        model: `smollm2-135m` or `minilm` (which arrive through the package client), a Hugging Face hub id such as
            `gpt2`, a local Hugging Face folder, or a Hugging Face model or TransformerLens bridge that is loaded
            already, which stays as it is, wherever accelerate has put its parts. Plain and gated MLPs, causal and
            bidirectional.
        dtype: `auto` is bfloat16 where the processor or GPU computes it natively, else float32; of a loaded model its
            own.
        device: a torch device; `auto` is the first GPU, else the CPU; of a loaded model where it is.
        tokenizer: for a loaded model that doesn't come from a local folder; else the one beside the weights.
        device_map: for a model larger than `device`, as in transformers' `from_pretrained`: `auto`, `balanced`,
            `balanced_low_0` or `sequential` let accelerate fill the GPUs, then the CPU's memory, then disk; a dict says
            it by module name: `{"model.embed_tokens": 0, "model.layers.0": 1, "model.layers.1": "cpu", "lm_head":
            "disk", …}`. What is kept on `cpu` or `disk` computes on the first GPU, if there is one.
        max_memory: what may be filled, such as `{0: "20GiB", 1: "20GiB", "cpu": "100GiB"}`; what is left out holds
            nothing. Leave room on a GPU: the first one holds a layer in float32 at a time, and what a scan keeps.
        offload_folder: where weights are written that are kept on disk and have no safetensors file to be read from.

    Raises:
        NbkitError: unknown model, no source in reach, weights that are missing or not finite, an architecture without
            plain or gated MLP neurons, or a `device_map` that doesn't fit it.
    """
    if not isinstance(dtype, str) or dtype not in ("auto", *DTYPES):
        raise NbkitError(f"unknown dtype {shown(dtype)}: choose auto, {', '.join(DTYPES)}")
    if not isinstance(device, str | torch.device):
        raise NbkitError(f"device is {shown(device)}: give the name of one, such as cpu or cuda")
    if tokenizer is not None and not (callable(tokenizer) and hasattr(tokenizer, "get_vocab")):
        raise NbkitError(f"tokenizer is a {type(tokenizer).__name__}: give the Hugging Face tokenizer itself")
    target = None if device == "auto" else _device(str(device))
    placement = _placement(model, device, device_map, max_memory, offload_folder)
    missing: frozenset[str] = frozenset()
    if isinstance(model, str | os.PathLike):
        first = None if placement is None else placement.main_device()
        name, target = str(model), target or _device("auto" if first is None else first)
        precision = _native_dtype(target) if dtype == "auto" else DTYPES[dtype]
        network, own, missing = open_source(name, precision, placement, with_tokenizer=tokenizer is None)
        if placement is None:
            network.to(target)
        check_places(name, network.eval())
    else:
        name, network, own = take(model, None if dtype == "auto" else DTYPES[dtype], target, tokenizer is None)
    by_name = isinstance(model, str | os.PathLike) and tokenizer is None
    opened = _look_into(name, network, own if tokenizer is None else tokenizer, missing)
    return replace(opened, by_name=by_name, placement=placement)


def _placement(
    model: object, device: object, device_map: Any, max_memory: Any, offload_folder: Any
) -> Placement | None:
    """How a model shall be spread; None if on one device, or as it is.

    Raises:
        NbkitError: the options don't fit each other or the model.
    """
    if device_map is None:
        if max_memory is not None or offload_folder is not None:
            raise NbkitError("max_memory and offload_folder are for a model that is spread: give device_map, too")
        return None
    if device != "auto":
        raise NbkitError("device and device_map were given: give one of them")
    if not isinstance(model, str | os.PathLike):
        raise NbkitError(
            "device_map is for a model that is opened by its name: give it to from_pretrained, which loaded this one"
        )
    return Placement(device_map, max_memory, offload_folder)


def _look_into(name: str, network: Any, tokenizer: Any, missing: Iterable[str]) -> LanguageModel:
    """Finds the MLPs of a network, and an attention implementation that is right."""
    weight, device = network.get_input_embeddings().weight, device_of(network)
    if weight.dtype not in DTYPES.values():
        raise NbkitError(f"model {name!r} is in {weight.dtype}: choose dtype {', '.join(DTYPES)}")
    ids = owned_ids(tokenizer, network)
    if len(np.setdiff1d(ids, tokenizer.all_special_ids)) < 2:  # what transformers makes of a folder without one
        raise NbkitError(f"model {name!r} comes without a tokenizer: give the model's own, too, as tokenizer=…")
    for tensor_name, tensor in named_values(network):
        if tensor.is_floating_point() and not is_finite(tensor):
            raise NbkitError(
                f"model {name!r}: weight {tensor_name!r} holds NaN or infinite values; the file is damaged or "
                f"its numbers are too large for {str(weight.dtype).removeprefix('torch.')}"
            )
    tokens = probe(ids, tokenizer.all_special_ids, context_length(network)).to(device)
    layer = ""
    try:
        network.set_attn_implementation("eager")
        traced = trace(network, tokens)
        mlps = []
        for number, call in enumerate(traced.blocks):
            layer = f"layer {number} "
            mlps.append(find_mlp(call, _hint(network.config.get_text_config())))
    except Exception as error:  # whatever stops it, it is no model of the kind
        raise _unsupported(name, layer + _first_line(error)) from error
    absent = sorted(set(missing).intersection(name for name, _ in used_weights(network, traced, None)))
    if absent:
        raise NbkitError(f"model {name!r}: {absent[0]!r}, one of {len(absent)} weights, is missing from its files")
    shapes = sorted({mlp.linear.stop - mlp.linear.start for mlp in mlps})
    if len(shapes) > 1:
        raise _unsupported(name, f"its layers have {shapes[0]} to {shapes[-1]} neurons")
    if len({(mlp.gate is None, mlp.activation) for mlp in mlps}) > 1:
        raise _unsupported(name, "its layers have neurons of different kinds")
    blocks = tuple(call.module for call in traced.blocks)
    model = LanguageModel(name, network, tokenizer, weight.dtype, device, blocks, tuple(mlps))
    _quicken(model, traced)
    try:
        model.check()
    except RuntimeError as error:  # of shapes that change on the way
        raise _unsupported(name, _first_line(error)) from error
    return model


def is_finite(tensor: Tensor) -> bool:
    """Whether all values are: the extremes are NaN if one is, and take no memory."""
    if tensor.dtype.itemsize == 1:  # PyTorch has no extremes of float8
        tensor = tensor.float()
    return not tensor.numel() or all(bool(extreme.isfinite()) for extreme in tensor.aminmax())


def _quicken(model: LanguageModel, traced: Trace) -> None:
    """Lets the model run on PyTorch's own attention where that gives what the eager one gives: some models are only
    right, or only there, with eager attention (soft-capped scores, for instance)."""
    tokens, eager = model.probe(), traced.blocks[-1].gave
    try:
        model.network.set_attn_implementation("sdpa")
        fast = trace(model.network, tokens).blocks[-1].gave
        assert eager is not None and fast is not None
        if relative_error(as_float(fast), as_float(eager)) <= ALLOWED_ROUNDING[model.dtype]:
            return
    except (ValueError, ImportError):
        pass
    model.network.set_attn_implementation("eager")


def _hint(config: Any) -> str:
    """The name that a model's description gives its activation function; "gelu" if it gives none that is known."""
    from transformers.activations import ACT2CLS

    keys = ("hidden_activation", "hidden_act", "activation_function", "activation", "ffn_activation")
    names = (getattr(config, key, None) for key in keys)
    return next((name for name in names if isinstance(name, str) and name in ACT2CLS), "gelu")


def _unsupported(name: str, reason: str) -> NbkitError:
    return NbkitError(
        f"model {name!r} has no plain or gated MLP neurons in every layer ({reason[:150]}): not supported"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _device(name: Device) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).item()  # which fails on "meta", too
        return torch.device(name)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise NbkitError(f"device {shown(name)} is not available here ({_first_line(error)[:100]})") from error


def _native_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def _sent(model: LanguageModel) -> tuple[Any, ...]:
    """How a model gets to another process: one that was opened by its name is opened there again."""
    if not model.by_name and is_dispatched(model.network):
        raise NbkitError(
            f"model {model.name!r} was handed over spread over devices, which another process can't repeat: open it by "
            "its name with device_map"
        )
    if not model.by_name:
        return cast(tuple[Any, ...], object.__reduce_ex__(model, 4))  # with its weights
    folder = user_path(model.name)
    source = str(folder.absolute()) if folder.is_dir() else model.name
    now = replace(model).fingerprint  # the model's own may be older than a change of its weights
    dtype, placement = str(model.dtype).removeprefix("torch."), model.placement
    where = {"device": model.device.type} if placement is None else vars(placement)
    return _open_again, (source, model.name, dtype, where, now)


def _open_again(source: str, name: str, dtype: Any, where: dict[str, Any], fingerprint: str) -> LanguageModel:
    opened = replace(load_model(source, dtype, **where), name=name)
    if opened.fingerprint != fingerprint:
        raise NbkitError(
            f"model {name!r} has other weights here than in the process that sent it: its files differ, or it was "
            "changed after it was opened; give load_model the changed Hugging Face model itself"
        )
    return opened


copyreg.pickle(LanguageModel, _sent)
