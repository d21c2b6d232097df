"""The files of a language model: which they are, and what of Hugging Face opens them. No code of theirs is ever run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from nbkit import assets
from nbkit.errors import NbkitError
from nbkit.files import user_path
from nbkit.method.checks import shown
from nbkit.models.placement import Placement


def open_source(
    name: str, dtype: torch.dtype, placement: Placement | None, *, with_tokenizer: bool
) -> tuple[Any, Any, frozenset[str]]:
    """The network of a model on the CPU, or spread over devices; its tokenizer as it was saved, and the names of
    weights that its files lack.

    Raises:
        NbkitError: if it can't be opened, or isn't a language model of the kind that nbkit reads.
    """
    from transformers import AutoConfig, AutoTokenizer

    source = _source(name)
    safe: dict[str, Any] = {"trust_remote_code": False}
    spread = {} if placement is None else placement.options()
    with assets.hub_as_asked(offline=assets.is_offline() or Path(source).is_dir()):
        try:
            config = AutoConfig.from_pretrained(source, **safe)
            refuse_by_description(name, config)
            kind = _class_of(config)
            tokenizer = AutoTokenizer.from_pretrained(source, **safe) if with_tokenizer else None
            options = {"dtype": dtype, "attn_implementation": "eager", "output_loading_info": True} | spread
            network, info = kind.from_pretrained(source, **safe, **options)
        except NbkitError:
            raise
        # Whatever transformers, the hub client or the file system raise, the user's way out is one.
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if placement is None:
                way = ": give smollm2-135m, a hub id that is in reach, or a local Hugging Face folder"
            elif "offload_folder" in str(error):
                way = ": weights of it must be written again to be kept on disk, give offload_folder"
            else:
                way = f" with device_map {shown(placement.device_map)}"
            raise NbkitError(f"can't open model {name!r}{way} ({type(error).__name__}: {reason[:150]})") from error
    refuse_by_class(name, network)
    missing = frozenset(info["missing_keys"])
    head = network.get_output_embeddings()
    if head is not None and any(
        parameter is head.weight
        for key, parameter in network.named_parameters(remove_duplicate=False)
        if key in missing
    ):
        network = network.base_model  # a head drawn at random says nothing
        missing = frozenset(key.removeprefix(f"{network.base_model_prefix}.") for key in missing)
    return network, tokenizer, missing


def refuse_by_description(name: str, config: Any) -> None:
    """Raises `NbkitError` for a model whose description already says that nbkit can't read it."""
    quantization = getattr(config, "quantization_config", None)
    if quantization is not None:
        values = quantization if isinstance(quantization, dict) else vars(quantization)
        method = values.get("quant_method", "an unknown method")
        raise NbkitError(
            f"model {name!r} is quantized ({getattr(method, 'value', method)}): open one with weights in float32, "
            "bfloat16 or float16"
        )


def refuse_by_class(name: str, network: Any) -> None:
    """Raises `NbkitError` for a model that reads something else than tokens, or reads them in two places."""
    import inspect

    taken = inspect.signature(network.forward).parameters
    try:
        embeddings = network.get_input_embeddings() if "input_ids" in taken else None
    except (NotImplementedError, AttributeError):  # it has several
        embeddings = None
    if "decoder_input_ids" in taken:
        reason = "has an encoder and a decoder"
    elif not isinstance(embeddings, torch.nn.Embedding):
        reason = "doesn't read tokens alone"
    else:
        return
    raise NbkitError(
        f"model {name!r} ({type(network).__name__}) {reason}: nbkit reads transformers of one stack on text"
    )


def _source(name: str) -> str:
    """The local folder of a model, or its hub id."""
    if name in assets.ASSETS:
        return str(assets.fetch(name))
    folder = user_path(name)
    if _exists(folder) or name.startswith((".", "/", "~")):
        if not _exists(folder / "config.json"):
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


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no name that a file could have
        return False


def _class_of(config: Any) -> Any:
    """The class that a model was saved from, if transformers has it; else the most that it has for this type."""
    import transformers

    for name in getattr(config, "architectures", None) or ():
        kind = getattr(transformers, name, None)
        if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
            return kind
    for auto in (transformers.AutoModelForCausalLM, transformers.AutoModelForMaskedLM, transformers.AutoModel):
        if type(config) in auto._model_mapping:
            return auto
    raise NbkitError(
        f"transformers has no model of type {config.model_type!r}, and nbkit runs no code of a model's own"
    )
