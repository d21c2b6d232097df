"""Weights with no description beside them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from torch import Tensor, zeros

from nbkit.errors import NbkitError
from nbkit.sae.architecture import Activation, AnyActivation, Architecture
from nbkit.sae.foreign.weights import LINEAR, SAELENS, Layout, renamed

TIED_BIAS: Layout = {**{name: LINEAR[name] for name in list(LINEAR)[:3]}, "bias": ("b_dec", False)}
"""dictionary_learning's `AutoEncoder`."""


def _two_layers(second: int) -> Layout:
    """Two linear layers, as `nn.Sequential` numbers them."""
    return {
        "0.weight": ("w_enc", True),
        "0.bias": ("b_enc", False),
        f"{second}.weight": ("w_dec", True),
        f"{second}.bias": ("b_dec", False),
    }


def read_state_dict(
    tensors: dict[str, Tensor], path: Path, activation: AnyActivation, k: int | None
) -> tuple[Architecture, dict[str, Tensor]]:
    """Named as by linear layers or by SAELens, the encoder subtracts `b_dec` from its input; two layers of
    `nn.Sequential` (`0` and `1`, or `0` and `2` with an activation between) don't, and are a transcoder if their widths
    differ.

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
    found["threshold"] = zeros((), dtype=found["w_enc"].dtype)
    return Architecture(d_in, d_sae, activation, k, d_out, apply_b_dec_to_input=not sequential), found
