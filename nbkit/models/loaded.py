"""Taking a model that a user has loaded already, and leaving it as it is."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from nbkit import assets
from nbkit.errors import NbkitError
from nbkit.models.bridge import is_bridge, network_of
from nbkit.models.dispatched import check_places, device_of, is_dispatched
from nbkit.models.sources import refuse_by_class, refuse_by_description
from nbkit.models.trace import twin


def take(
    given: Any, dtype: torch.dtype | None, device: torch.device | None, with_tokenizer: bool
) -> tuple[str, Any, Any]:
    """The name, network and tokenizer of a loaded model; the network shares its weights with the given one, unless
    another dtype or device is asked for.

    Raises:
        NbkitError: if it is no such model, lies on several devices without accelerate's hooks, can't be copied from
            where it lies, or its tokenizer must be given.
    """
    from transformers import PreTrainedModel

    network = network_of(given) if is_bridge(given) else given
    if not isinstance(network, PreTrainedModel):
        raise NbkitError(
            f"load_model got a {type(given).__name__}: give smollm2-135m, a hub id, a local Hugging Face folder, a "
            "loaded Hugging Face model or a TransformerLens bridge"
        )
    source = network.name_or_path
    name = source or type(network).__name__
    refuse_by_description(name, network.config)
    refuse_by_class(name, network)
    check_places(name, network)
    now = network.get_input_embeddings().weight.dtype, device_of(network)
    wanted = dtype or now[0], device or now[1]
    if wanted == now:
        copy = twin(network)
    elif is_dispatched(network):
        raise NbkitError(
            f"model {name!r} is spread over devices, so it can't be copied to another dtype or device: load it as "
            "it shall be, and leave dtype and device out"
        )
    else:
        copy = twin(deepcopy(network)).to(dtype=wanted[0], device=wanted[1])
    return name, copy, _tokenizer(name, source) if with_tokenizer else None


def _tokenizer(name: str, source: str) -> Any:
    from transformers import AutoTokenizer

    try:
        if source and Path(source).is_dir():
            with assets.hub_as_asked(offline=True):
                return AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        reason = "it doesn't come from a local folder"
    except Exception as error:  # whatever is wrong with the folder, there is no tokenizer in it
        reason = f"there is none in {source}, {type(error).__name__}"
    raise NbkitError(f"load_model needs the tokenizer of model {name!r} ({reason}): give it, too, as tokenizer=…")
