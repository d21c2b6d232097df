"""Gemma Scope: JumpReLU autoencoders and transcoders in `params.npz`, and those of Gemma Scope 2 in `config.json` and
`params.safetensors`. Neither subtracts `b_dec` from its input."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from nbkit.sae.architecture import Architecture
from nbkit.sae.description import Description
from nbkit.sae.foreign.weights import SAELENS, Layout, renamed

LAYOUT: Layout = {**SAELENS, "threshold": ("threshold", False)}
LAYOUT_2: Layout = {ours: (ours, False) for ours, _ in LAYOUT.values()}
_OF_TRANSCODERS = re.compile("(^|-)transcoders?$")
SKIP = "affine_skip_connection"
HARMLESS = ("model_name", "width", "l0", "dtype", "device", "layer")
"""Fields of Gemma Scope 2 about where the activations come from."""


def read_npz(tensors: dict[str, Tensor], path: Path) -> tuple[Architecture, dict[str, Tensor]]:
    """The file says nothing of what it is: a transcoder is told by its widths, or by a folder above it whose name is or
    ends in "transcoders", as the published ones have (`gemma-scope-2b-pt-transcoders`).

    Raises:
        NbkitError: a tensor is missing, too many or no matrix.
    """
    found = renamed({_cased(name): tensor for name, tensor in tensors.items()}, LAYOUT, path)
    width = found["w_dec"].shape[1]
    named = any(_OF_TRANSCODERS.search(part) for part in path.absolute().parts[:-1])
    return _jumprelu(found, width if named or width != found["w_enc"].shape[0] else None, skip=False)


def read_gemma_scope_2(
    description: Description, tensors: dict[str, Tensor], path: Path
) -> tuple[Architecture, dict[str, Tensor]]:
    """Raises NbkitError for a field that can't be obeyed or contradicts the weights."""
    description.choice("architecture", "", ("jump_relu",))
    kind = description.choice("type", "", ("", "sae", "transcoder"))
    read, predicted = description.take("hf_hook_point_in"), description.take("hf_hook_point_out")
    skip = description.flag("affine_connection", default=False)
    if skip != (SKIP in tensors):
        raise description.refusal("affine_connection", skip, f"the weights {'lack' if skip else 'have'} {SKIP!r}")
    description.finish(HARMLESS)
    found = renamed(tensors, {**LAYOUT_2, SKIP: ("w_skip", False)} if skip else LAYOUT_2, path)
    width, transcoder = found["w_dec"].shape[1], kind == "transcoder" or (kind == "" and predicted not in (None, read))
    return _jumprelu(found, width if transcoder else None, skip)


def _cased(name: str) -> str:
    return "W_" + name[2:] if name.startswith("w_") else name


def _jumprelu(found: dict[str, Tensor], d_out: int | None, skip: bool) -> tuple[Architecture, dict[str, Tensor]]:
    d_in, d_sae = found["w_enc"].shape
    return Architecture(d_in, d_sae, "jumprelu", None, d_out, apply_b_dec_to_input=False, skip=skip), found
