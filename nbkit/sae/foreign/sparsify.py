"""EleutherAI's sparsify: `cfg.json` and `sae.safetensors`, autoencoders and transcoders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from torch import Tensor, zeros

from nbkit.sae.architecture import AnyActivation, Architecture
from nbkit.sae.autoencoder_parts import Found
from nbkit.sae.description import Description
from nbkit.sae.foreign.weights import Layout, renamed
from nbkit.sae.hooks import Hooks, in_block, read_by

SPARSIFY_LAYOUT: Layout = {
    "encoder.weight": ("w_enc", True),
    "encoder.bias": ("b_enc", False),
    "W_dec": ("w_dec", False),
    "b_dec": ("b_dec", False),
}
SPARSIFY_IGNORED = ("normalize_decoder", "multi_topk", "device", "dtype")
"""Of training; the decoder is stored as it is used."""
_SEED = re.compile("seed[0-9]+")
"""A folder in that of a module, for each of several autoencoders of it."""


def read_sparsify(description: Description, tensors: dict[str, Tensor], path: Path) -> Found:
    """The folder has the name of a module: an autoencoder reads what it gives, a transcoder what it reads.

    Raises:
        NbkitError: a field that can't be obeyed or contradicts the weights.
    """
    transcode = description.flag("transcode", default=False)
    skip = description.flag("skip_connection", default=False)
    activation = cast(AnyActivation, description.choice("activation", "topk", ("topk", "groupmax")))
    if description.flag("signed", default=False):
        raise description.refusal("signed", True, "its latents are negative too")
    layout = {**SPARSIFY_LAYOUT, "W_skip": ("w_skip", True)} if skip else SPARSIFY_LAYOUT
    found = renamed(tensors, layout, path)
    d_in, d_sae = found["w_enc"].shape
    description.must_be("d_in", d_in)
    expansion = description.size("expansion_factor")
    if description.take("num_latents", 0) != 0:
        description.must_be("num_latents", d_sae)
    elif expansion is not None and expansion * d_in != d_sae:
        raise description.refusal("expansion_factor", expansion, f"the weights have {d_sae} latents of {d_in} inputs")
    k = description.size("k")
    if k is None:
        raise description.refusal("k", k, "a number of latents is needed")
    module = description.hook("hookpoint") or _module(path.absolute().parent)
    description.finish(SPARSIFY_IGNORED)
    found["threshold"] = zeros((), dtype=found["w_enc"].dtype)
    d_out = found["w_dec"].shape[1] if transcode else None
    architecture = Architecture(d_in, d_sae, activation, k, d_out, apply_b_dec_to_input=not transcode, skip=skip)
    return Found(architecture, found, Hooks(read_by(module), module) if transcode and module else Hooks(module))


def _module(folder: Path) -> str | None:
    """The module that a folder is named after; None for another folder, since any may hold an autoencoder."""
    name = folder.parent.name if _SEED.fullmatch(folder.name) else folder.name
    return name if name == "embed_tokens" or in_block(name) is not None else None
