"""Capturing vectors at a hook point that is named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int32
from torch import Tensor, nn

from nbkit.errors import NbkitError
from nbkit.files import distinct
from nbkit.method.checks import shown
from nbkit.models.hook_points import HookPoint, find_places, hooked
from nbkit.models.mlp import Mlp
from nbkit.models.norm import read_norm
from nbkit.models.processed import PROCESSED_END, in_processed, unknown
from nbkit.models.trace import first_tensor, trace

IN_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")


class Tokens(Protocol):
    """What capturing needs of contexts."""

    @property
    def tokens(self) -> Int32[np.ndarray, "n length"]:
        """Token ids."""

    @property
    def special(self) -> Bool[np.ndarray, " length"]:
        """Positions that hold no text."""


def check_contexts(contexts: object, model: str, token_ids: Int[np.ndarray, " n_ids"], vocabulary: str) -> None:
    """See `LanguageModel.check_contexts`.

    Args:
        model: what messages call it.
        token_ids: of its tokens, ascending.
        vocabulary: checksum of the tokenizer's.
    """
    if not all(isinstance(getattr(contexts, name, None), np.ndarray) for name in ("tokens", "special")):
        raise NbkitError(f"contexts is of type {type(contexts).__name__}: give what nbkit.load_contexts makes")
    name = getattr(contexts, "name", "arrays")
    if getattr(contexts, "vocabulary_sha256", None) not in (None, vocabulary):
        raise NbkitError(
            f"the contexts of {name} were cut with another tokenizer than that of model {model!r}: make them with "
            "load_contexts(…, model)"
        )
    ids = contexts.ids if hasattr(contexts, "ids") else distinct(contexts.tokens)  # type: ignore[attr-defined]
    if len(foreign := np.setdiff1d(ids, token_ids)):
        raise NbkitError(
            f"the contexts of {name} hold token id {foreign[0]}, and model {model!r} has no such token: it has "
            f"{len(token_ids)}, ids {token_ids[0]} to {token_ids[-1]}"
        )


def find_hook_point(
    model: str, network: Any, blocks: Sequence[nn.Module], mlps: Sequence[Mlp], probe: Int[Tensor, "b t"], name: str
) -> HookPoint:
    """See `LanguageModel.hook_point`.

    Args:
        model: what messages call the model.
        probe: tokens to try the network on.
    """
    plain = name.removesuffix(PROCESSED_END) if isinstance(name, str) else ""
    found, traced, where = IN_BLOCK.fullmatch(plain), trace(network, probe), f"model {model!r}, {name}"
    if found is not None and int(found[1]) < len(blocks):
        layer = int(found[1])
        places = find_places(traced.blocks[layer], mlps[layer])
        part, centered = found[2], False
        if plain != name and part in places:
            part, centered = in_processed(where, traced, layer, mlps[layer], places, part)
        place = places.get(part)
        if place is not None:
            block, before_mlp = blocks[layer], mlps[layer].norm
            norm = None
            if place.bare and before_mlp is not None:
                norm = read_norm(block.get_submodule(before_mlp), place.width)
                if norm is None or bool((norm.scale == 0).any()):
                    raise NbkitError(f"{where}: its layer norm has a zero scale, which can't be undone")
            return HookPoint(name, block.get_submodule(place.module), place.reads, place.width, norm, centered)
    modules = dict(network.named_modules()) | dict(network.base_model.named_modules())
    if plain and plain in modules:
        if plain != name:
            raise NbkitError(f"{where}: {unknown()}")
        if (width := _width_at(modules[name], network, probe)) is not None:
            return HookPoint(name, modules[name], False, width)
        raise NbkitError(f"model {model!r}: {name} gives no vector for every token, so nothing can be captured there")
    places = find_places(traced.blocks[0], mlps[0])
    known = [f"blocks.{layer}.{place}" for layer in range(len(blocks)) for place in places]
    near = get_close_matches(str(name).removesuffix(PROCESSED_END), [*known, *filter(None, modules)], n=1, cutoff=0)
    raise NbkitError(f"model {model!r} has no hook point {shown(name)}: the nearest is {near[0]}")


def stream(
    network: Any, device: torch.device, point: HookPoint, contexts: Tokens, offsets: range
) -> Iterator[Float[Tensor, "b t width"]]:
    """See `LanguageModel.capture`.

    Args:
        offsets: of the batches' first contexts.
    """
    text = torch.from_numpy(~contexts.special).to(device)
    found: list[Tensor] = []
    for offset in offsets:
        stop = min(offset + offsets.step, offsets.stop)
        # hooked for one batch, since whoever reads the stream may run the model between two
        with hooked(network, device, [point], lambda _, vectors: found.append(vectors)) as run:
            run(torch.tensor(contexts.tokens[offset:stop]))
        vectors = found.pop()[:, text]
        if not bool(vectors.isfinite().all()):
            raise NbkitError(f"{point.name} has vectors that are not finite in contexts {offset} to {stop - 1}")
        yield vectors


def _width_at(module: nn.Module, network: Any, probe: Int[Tensor, "b t"]) -> int | None:
    """Width of the vectors that a module gives for tokens; None if it doesn't give one for each."""
    shapes: list[tuple[int, ...]] = []
    handle = module.register_forward_hook(
        lambda _, __, output: shapes.append(() if (gave := first_tensor(output)) is None else tuple(gave.shape))
    )
    try:
        with torch.inference_mode():
            network(input_ids=probe, use_cache=False)
    finally:
        handle.remove()
    one_each = len(shapes) == 1 and shapes[0][:-1] in (tuple(probe.shape), (probe.numel(),))
    return shapes[0][-1] if one_each else None
