"""Gemma Scope: JumpReLU autoencoders and transcoders in `params.npz`, and those of Gemma Scope 2 in `config.json` and
`params.safetensors`. Neither subtracts `b_dec` from its input."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from nbkit.sae.architecture import Architecture
from nbkit.sae.autoencoder_parts import Found
from nbkit.sae.description import Description
from nbkit.sae.foreign.weights import SAELENS, Layout, renamed
from nbkit.sae.hooks import Hooks, in_block, read_by

GEMMA_SCOPE_LAYOUT: Layout = {**SAELENS, "threshold": ("threshold", False)}
LAYOUT_2: Layout = {ours: (ours, False) for ours, _ in GEMMA_SCOPE_LAYOUT.values()}
_OF_TRANSCODERS = re.compile("(^|-)transcoders?$")
_REPOSITORY = re.compile("(?:.*--)?gemma-scope-[0-9]+b-(?:pt|it)-(res|mlp|att|transcoders)")
_LAYER = re.compile("layer_([0-9]{1,4})")
GEMMA_SCOPE_SITES = {
    "res": ("hook_resid_post", None),
    "mlp": ("hook_mlp_out", None),
    "att": ("attn.hook_z", None),
    "transcoders": ("ln2.hook_normalized", "hook_mlp_out"),
}
"""What the autoencoders of a repository read and predict, by the end of its name. MLP outputs are those behind the
layer norm that follows the MLP in Gemma 2; transcoders read what the one before it gives, without its scale."""
GIVEN = {
    None: "hook_resid_post",
    "pre_feedforward_layernorm": "mlp.hook_in",
    "post_feedforward_layernorm": "hook_mlp_out",
}
"""Of modules in a block of Gemma 3, what each gives."""
SKIP = "affine_skip_connection"
GEMMA_SCOPE_IGNORED = ("model_name", "width", "l0", "dtype", "device", "layer")
"""Fields of Gemma Scope 2 about where the activations come from."""


def read_npz(tensors: dict[str, Tensor], path: Path) -> Found:
    """The file says nothing of what it is: a transcoder is told by its widths, or by a folder above it whose name is or
    ends in "transcoders", as the published ones have (`gemma-scope-2b-pt-transcoders`). The hook point is told by the
    published repository's name and by a folder in it that is named as `layer_12`.

    Raises:
        NbkitError: a tensor is missing, too many or no matrix.
    """
    found = renamed({_cased(name): tensor for name, tensor in tensors.items()}, GEMMA_SCOPE_LAYOUT, path)
    width = found["w_dec"].shape[1]
    named = any(_OF_TRANSCODERS.search(part) for part in path.absolute().parts[:-1])
    d_out = width if named or width != found["w_enc"].shape[0] else None
    return _jumprelu(found, d_out, False, _hooks_by_folders(path.absolute().parts[:-1], d_out is not None))


def read_gemma_scope_2(description: Description, tensors: dict[str, Tensor], path: Path) -> Found:
    """Raises NbkitError for a field that can't be obeyed or contradicts the weights."""
    description.choice("architecture", "", ("jump_relu",))
    kind = description.choice("type", "", ("", "sae", "transcoder"))
    read, predicted = description.hook("hf_hook_point_in"), description.hook("hf_hook_point_out")
    skip = description.flag("affine_connection", default=False)
    if skip != (SKIP in tensors):
        raise description.refusal("affine_connection", skip, f"the weights {'lack' if skip else 'have'} {SKIP!r}")
    description.finish(GEMMA_SCOPE_IGNORED)
    found = renamed(tensors, {**LAYOUT_2, SKIP: ("w_skip", False)} if skip else LAYOUT_2, path)
    width, transcoder = found["w_dec"].shape[1], kind == "transcoder" or (kind == "" and predicted not in (None, read))
    return _jumprelu(found, width if transcoder else None, skip, Hooks(of_gemma_3(read), of_gemma_3(predicted)))


def of_gemma_3(name: str | None) -> str | None:
    """The hook point of a module's `.input` or `.output`, as Gemma Scope 2 writes it; None if it has no name here."""
    module, _, side = (name or "").rpartition(".")
    if side == "input":
        return read_by(module)
    if side != "output" or not module:
        return None
    place = in_block(module)
    return f"blocks.{place[0]}.{GIVEN[place[1]]}" if place is not None and place[1] in GIVEN else module


def _hooks_by_folders(folders: tuple[str, ...], transcoder: bool) -> Hooks:
    """What the names of the folders say, if one repository and one layer are among them."""
    sites = [(number, found[1]) for number, part in enumerate(folders) if (found := _REPOSITORY.fullmatch(part))]
    if len(sites) != 1 or (sites[0][1] == "transcoders") != transcoder:
        return Hooks()
    layers = [found[1] for part in folders[sites[0][0] :] if (found := _LAYER.fullmatch(part))]
    if len(layers) != 1:
        return Hooks()
    read, predicted = GEMMA_SCOPE_SITES[sites[0][1]]
    return Hooks(f"blocks.{layers[0]}.{read}", None if predicted is None else f"blocks.{layers[0]}.{predicted}")


def _cased(name: str) -> str:
    return "W_" + name[2:] if name.startswith("w_") else name


def _jumprelu(found: dict[str, Tensor], d_out: int | None, skip: bool, hooks: Hooks) -> Found:
    d_in, d_sae = found["w_enc"].shape
    architecture = Architecture(d_in, d_sae, "jumprelu", None, d_out, apply_b_dec_to_input=False, skip=skip)
    return Found(architecture, found, hooks)
