"""Opening a language model by name, hub id or folder, or taking one that is loaded already."""

from __future__ import annotations

import copyreg
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch

from nbkit.errors import NbkitError
from nbkit.files import user_path
from nbkit.method.checks import shown
from nbkit.models.fingerprint import used_weights
from nbkit.models.language_model import ROUNDING, LanguageModel
from nbkit.models.loaded import take
from nbkit.models.mlp import find_mlp
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
) -> LanguageModel:
    """Opens a language model and checks that its neurons can be captured.

    Args:
        model: `smollm2-135m` or `minilm` (which arrive through the package client), a Hugging Face hub id such as
            `gpt2`, a local Hugging Face folder, or a Hugging Face model or TransformerLens bridge that is loaded
            already, which stays as it is. Plain and gated MLPs, causal and bidirectional.
        dtype: `auto` is bfloat16 where the processor or GPU computes it natively, else float32; of a loaded model its
            own.
        device: a torch device; `auto` is the first GPU, else the CPU; of a loaded model where it is.
        tokenizer: for a loaded model that doesn't come from a local folder; else the one beside the weights.

    Raises:
        NbkitError: unknown model, no source in reach, weights that are missing or not finite, or an architecture
            without plain or gated MLP neurons.
    """
    if not isinstance(dtype, str) or dtype not in ("auto", *DTYPES):
        raise NbkitError(f"unknown dtype {shown(dtype)}: choose auto, {', '.join(DTYPES)}")
    if not isinstance(device, str | torch.device):
        raise NbkitError(f"device is {shown(device)}: give the name of one, such as cpu or cuda")
    if tokenizer is not None and not (callable(tokenizer) and hasattr(tokenizer, "get_vocab")):
        raise NbkitError(f"tokenizer is a {type(tokenizer).__name__}: give the Hugging Face tokenizer itself")
    target = None if device == "auto" else _device(str(device))
    missing: frozenset[str] = frozenset()
    if isinstance(model, str | os.PathLike):
        name, target = str(model), target or _device("auto")
        precision = _native_dtype(target) if dtype == "auto" else DTYPES[dtype]
        network, own, missing = open_source(name, precision, with_tokenizer=tokenizer is None)
        network.to(target).eval()
    else:
        name, network, own = take(model, None if dtype == "auto" else DTYPES[dtype], target, tokenizer is None)
    by_name = isinstance(model, str | os.PathLike) and tokenizer is None
    return _look_into(name, network, own if tokenizer is None else tokenizer, missing, by_name)


def _look_into(name: str, network: Any, tokenizer: Any, missing: Iterable[str], by_name: bool) -> LanguageModel:
    """Finds the MLPs of a network, and an attention implementation that is right."""
    weight = network.get_input_embeddings().weight
    if weight.dtype not in DTYPES.values():
        raise NbkitError(f"model {name!r} is in {weight.dtype}: choose dtype {', '.join(DTYPES)}")
    ids = owned_ids(tokenizer, network)
    if len(np.setdiff1d(ids, tokenizer.all_special_ids)) < 2:  # what transformers makes of a folder without one
        raise NbkitError(f"model {name!r} comes without a tokenizer: give the model's own, too, as tokenizer=…")
    for tensor_name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise NbkitError(
                f"model {name!r}: weight {tensor_name!r} holds NaN or infinite values; the file is damaged or "
                f"its numbers are too large for {str(weight.dtype).removeprefix('torch.')}"
            )
    tokens = probe(ids, tokenizer.all_special_ids, context_length(network)).to(weight.device)
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
    model = LanguageModel(name, network, tokenizer, weight.dtype, weight.device, blocks, tuple(mlps), by_name)
    _quicken(model, traced)
    try:
        model.check()
    except RuntimeError as error:  # of shapes that change on the way
        raise _unsupported(name, _first_line(error)) from error
    return model


def _quicken(model: LanguageModel, traced: Trace) -> None:
    """Lets the model run on PyTorch's own attention where that gives what the eager one gives: some models are only
    right, or only there, with eager attention (soft-capped scores, for instance)."""
    tokens, eager = model.probe(), traced.blocks[-1].gave
    try:
        model.network.set_attn_implementation("sdpa")
        fast = trace(model.network, tokens).blocks[-1].gave
        assert eager is not None and fast is not None
        if relative_error(as_float(fast), as_float(eager)) <= ROUNDING[model.dtype]:
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


def _device(name: str) -> torch.device:
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
    if not model.by_name:
        return cast(tuple[Any, ...], object.__reduce_ex__(model, 4))  # with its weights
    folder = user_path(model.name)
    source = str(folder.absolute()) if folder.is_dir() else model.name
    now = replace(model).fingerprint  # the model's own may be older than a change of its weights
    return _open_again, (source, model.name, str(model.dtype).removeprefix("torch."), model.device.type, now)


def _open_again(source: str, name: str, dtype: Any, device: str, fingerprint: str) -> LanguageModel:
    opened = replace(load_model(source, dtype, device), name=name)
    if opened.fingerprint != fingerprint:
        raise NbkitError(
            f"model {name!r} has other weights here than in the process that sent it: its files differ, or it was "
            "changed after it was opened; give load_model the changed Hugging Face model itself"
        )
    return opened


copyreg.pickle(LanguageModel, _sent)
