"""Where SAELens' descriptions say that the activations come from."""

from __future__ import annotations

import re
from typing import Literal

from nbkit.sae.description import Description
from nbkit.sae.foreign.gemma_scope import of_gemma_3
from nbkit.sae.hooks import Hooks, after_rewriting

CENTERING = "center_writing_weights"
"""What in `model_from_pretrained_kwargs` tells TransformerLens to center what is written to the residual stream."""
REWRITING = ("fold_ln", CENTERING, "fold_value_biases", "refactor_factored_attn_matrices")
"""What there may tell it to do to the weights that changes vectors."""
FIRST_TO_LEAVE_ALONE = (3, 19, 2)
"""Version of SAELens from which on TransformerLens leaves the weights as they are unless it is told otherwise."""


def read_hooks(d: Description, metadata: Description) -> Hooks:
    """The hook points of a description and the metadata in it.

    A place in the Hugging Face network (`hf_hook_name`) says more than TransformerLens' name beside it. The vectors of
    one head (`hook_head_index`) are parts of those at the hook point.

    Raises:
        NbkitError: a name is none, or the two say different ones.
    """
    exact = of_gemma_3(_hook(d, metadata, "hf_hook_name"))
    read = exact or _hook(d, metadata, "hook_name", "hook_point")
    predicted = of_gemma_3(_hook(d, metadata, "hf_hook_name_out"))
    if predicted is None and _said(d, metadata, "hook_head_index_out") is None:
        predicted = _hook(d, metadata, "hook_name_out")
    same = _said(d, metadata, "hook_head_index", "hook_point_head_index") is None
    rewritten = "not" if exact is not None else _may_be_rewritten(d, metadata)
    if rewritten == "unknown":
        read = predicted = None
    elif rewritten != "not":
        centered = rewritten == "centered"
        predicted = None if predicted is None else after_rewriting(predicted, centered)
        if read is not None:
            after = after_rewriting(read, centered)
            read, same = after or read, same and after is not None
    return Hooks(read, predicted, same)


def _said(d: Description, metadata: Description, *names: str) -> object:
    """The first value that is there."""
    return next((value for name in names for each in (d, metadata) if (value := each.take(name)) is not None), None)


def _hook(d: Description, metadata: Description, *names: str) -> str | None:
    """The hook point under one of some names."""
    found = [(name, hook) for each in (d, metadata) for name in names if (hook := each.hook(name)) is not None]
    for name, hook in found[1:]:
        if hook != found[0][1]:
            raise d.refusal(name, hook, f"{found[0][0]} says {found[0][1][:60]!r}")
    return found[0][1] if found else None


def _may_be_rewritten(d: Description, metadata: Description) -> Literal["not", "uncentered", "centered", "unknown"]:
    """Whether TransformerLens may have rewritten the model's weights, and centered what is written to the stream.

    The first versions always had it do so and name the hook `hook_point`; later ones keep what it was told.
    """
    if _said(d, metadata, "model_class_name") not in (None, "HookedTransformer"):
        return "not"
    told = _said(d, metadata, "model_from_pretrained_kwargs")
    if "hook_point" in d.fields:
        return "centered"
    if isinstance(told, dict):
        if told.get(CENTERING, False) is not False:
            return "centered"
        return "uncentered" if any(told.get(name, False) is not False for name in REWRITING) else "not"
    name = "sae_lens_training_version"
    if name not in d.fields and name not in metadata.fields:
        return "not"
    version = re.match(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})", str(_said(d, metadata, name)))
    if version is None:
        return "unknown"
    return "centered" if tuple(int(part) for part in version.groups()) < FIRST_TO_LEAVE_ALONE else "not"
