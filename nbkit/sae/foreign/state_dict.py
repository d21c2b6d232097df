"""Weights with no description beside them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from torch import Tensor, zeros

from nbkit.errors import NbkitError
from nbkit.sae.architecture import Activation, AnyActivation, Architecture
from nbkit.sae.autoencoder_parts import Found
from nbkit.sae.foreign.weights import LINEAR, SAELENS, Layout, renamed

TIED_BIAS: Layout = {**{name: LINEAR[name] for name in list(LINEAR)[:3]}, "bias": ("b_dec", False)}
"""dictionary_learning's `AutoEncoder`."""


def _two_layers(second: int) -> Layout:
    """Two linear layers, numbered."""
    return {
        "0.weight": ("w_enc", True),
        "0.bias": ("b_enc", False),
        f"{second}.weight": ("w_dec", True),
        f"{second}.bias": ("b_dec", False),
    }


def read_state_dict(tensors: dict[str, Tensor], path: Path, activation: AnyActivation, k: int | None) -> Found:
    """The encoder subtracts `b_dec` from its input, as in the paper, whose author numbers his two layers `0` and `1`.

    Layers `0` and `2`, with an activation between them, are an `nn.Sequential` that runs by itself: nothing is
    subtracted. Numbered layers of different widths are a transcoder.

    Raises:
        NbkitError: the names are of no layout, or a tensor is missing or too many.
    """
    if activation not in get_args(Activation):
        raise NbkitError(
            f"{path} has no description beside it, without which nbkit opens {', '.join(get_args(Activation))}, not "
            f"{str(activation)[:40]!r}: put its cfg.json there"
        )
    sequential = "0.weight" in tensors
    if sequential:
        layout = _two_layers(2 if "2.weight" in tensors else 1)
    elif "bias" in tensors:
        layout = TIED_BIAS
    else:
        layouts = [layout for layout in (LINEAR, SAELENS) if set(tensors) & set(layout)]
        if not layouts:
            raise NbkitError(
                f"{path} holds no sparse autoencoder: its tensors should be named {', '.join(LINEAR)}, or "
                f"{', '.join(SAELENS)}, and are {', '.join(sorted(tensors)[:4])[:80] or 'none'}"
            )
        layout = layouts[0]
    found = renamed(tensors, layout, path)
    d_in, d_sae = found["w_enc"].shape
    width = found["w_dec"].shape[1]
    d_out = width if sequential and width != d_in else None
    subtract = d_out is None and "2.weight" not in layout
    found["threshold"] = zeros((), dtype=found["w_enc"].dtype)
    return Found(Architecture(d_in, d_sae, activation, k, d_out, apply_b_dec_to_input=subtract), found)
