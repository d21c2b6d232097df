"""Where in a language model the activations of an autoencoder come from, by TransformerLens' names or a module's."""

from __future__ import annotations

import re
from typing import NamedTuple

from nbkit.errors import NbkitError
from nbkit.method.checks import shown

LONGEST_NAME = 200
_MODULE_OF_BLOCK = re.compile(
    r"(?:(?:model|base_model|language_model|text_model|transformer|gpt_neox|backbone|decoder)\.)*"
    r"(?:layers?|h|blocks?)\.(\d+)(?:\.(.+))?"
)
"""A module in a block of a Hugging Face network: the layer, and the module's name in the block."""
_READ = {None: "hook_resid_pre", "mlp": "mlp.hook_in", "self_attn.o_proj": "attn.hook_z"}
"""Of modules in a block, what each reads."""
PROCESSED_HOOK = ":processed"
"""End of the name of a hook point whose vectors are those after TransformerLens has rewritten the weights."""
_LEFT_ALONE = ("mlp.hook_post", "ln2.hook_normalized")
"""Ends of the names of vectors that are the same whether or not TransformerLens has rewritten the weights."""
_CENTERED = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out")
"""Ends of the names of vectors that it changes by centering alone."""


class Hooks(NamedTuple):
    """Where the vectors of an autoencoder are, as `LanguageModel.hook_point` knows it; None where nothing says so."""

    read: str | None = None
    """What it reads."""
    predicted: str | None = None
    """What a transcoder predicts."""
    same: bool = True
    """Whether `LanguageModel.hook_point` gives the vectors that the autoencoder was trained on: not one head's of them,
    nor those of `attn.hook_z` after TransformerLens has folded biases."""


def checked_hook(name: str, value: object) -> str | None:
    """The name of a hook point, or None.

    Raises:
        NbkitError: it can't be one.
    """
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise NbkitError(f"{name} is {shown(value)}: give the name of a hook point, as blocks.5.hook_resid_post")
    return str(value)


def in_block(module: str) -> tuple[int, str | None] | None:
    """The layer of a module and its name in the block, None for the block itself; None for a module elsewhere."""
    found = _MODULE_OF_BLOCK.fullmatch(module)
    return None if found is None else (int(found[1]), found[2])


def read_by(module: str) -> str | None:
    """The hook point of what a module of a Hugging Face network reads; None if that has no name."""
    place = in_block(module)
    return f"blocks.{place[0]}.{_READ[place[1]]}" if place is not None and place[1] in _READ else None


def after_rewriting(hook: str, centered: bool) -> str | None:
    """The name of what is at a hook point after TransformerLens has rewritten the weights; None if it has none.

    Args:
        centered: whether the rewriting took the mean from what is written to the residual stream.
    """
    if hook.endswith(_LEFT_ALONE):
        return hook
    if hook.endswith(_CENTERED):
        return f"{hook}{PROCESSED_HOOK}" if centered else hook
    return None


def are_same_place(first: str, second: str) -> bool:
    """Whether two names are of the same vectors: a block's output is its `hook_resid_post`, and wrappers add to a name;
    with processed weights the vectors are others."""
    return _normalized(first) == _normalized(second)


def _normalized(hook: str) -> str:
    place = in_block(hook)
    return hook if place is None else f"blocks.{place[0]}.{place[1] or 'hook_resid_post'}"
