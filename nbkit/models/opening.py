"""Opening a language model by name, hub id or folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from nbkit.errors import NbkitError
from nbkit.files import user_path
from nbkit.models.language_model import LanguageModel

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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
    folder = user_path(name)
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
