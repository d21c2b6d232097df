"""What a sparse autoencoder or a transcoder computes, apart from the numbers in its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole, shown

Activation = Literal["relu", "topk", "batch_topk"]
"""What can be trained."""
AnyActivation = Literal["relu", "topk", "batch_topk", "jumprelu", "gated", "groupmax"]
"""What can be opened."""
Normalization = Literal["none", "constant_norm_rescale", "layer_norm"]
Reshaping = Literal["none", "hook_z"]
WIDEST = 2**31 - 1
"""More inputs or latents have no autoencoder."""


@dataclass(frozen=True)
class Architecture:
    """The shape and the equations of an autoencoder; see `nbkit.SparseAutoencoder` for what each field means there."""

    d_in: int
    """Width of the activations that it reads."""
    d_sae: int
    """Number of latents."""
    activation: AnyActivation = "relu"
    """How latents follow from pre-activations."""
    k: int | None = None
    """Latents kept for an input; of `topk`, `batch_topk` and `groupmax`."""
    d_out: int | None = None
    """Width of what a transcoder predicts; None for an autoencoder, which reconstructs what it reads."""
    apply_b_dec_to_input: bool = True
    """Whether `b_dec` is subtracted from the input; never by a transcoder."""
    normalize_activations: Normalization = "none"
    """What each input goes through before the encoder, undone on an autoencoder's output: `constant_norm_rescale`
    gives it the norm sqrt(d_in), `layer_norm` mean 0 and standard deviation 1."""
    reshape_activations: Reshaping = "none"
    """`hook_z`: the input is that of all heads of an attention layer, one after the other."""
    skip: bool = False
    """Whether the input times a matrix is added to the output."""

    def __post_init__(self) -> None:
        for name in ("d_in", "d_sae", "k", "d_out"):
            value = getattr(self, name)
            if value is None and name in ("k", "d_out"):
                continue
            object.__setattr__(self, name, checked_whole(name, value, most=WIDEST))
        for name in ("apply_b_dec_to_input", "skip"):
            if not isinstance(getattr(self, name), bool):
                raise NbkitError(f"{name} is {str(getattr(self, name))[:40]!r}: give true or false.")
        if self.d_in < 1 or self.d_sae < 1:
            raise NbkitError(
                f"A sparse autoencoder of {self.d_in} inputs and {self.d_sae} latents is none: both must be at least 1."
            )
        if not isinstance(self.activation, str) or self.activation not in get_args(AnyActivation):
            known = ", ".join(get_args(Activation))
            raise NbkitError(f"There is no activation {shown(self.activation)}: choose one of {known}.")
        if self.activation in ("topk", "batch_topk", "groupmax"):
            if self.k is None or not 1 <= self.k <= self.d_sae:
                raise NbkitError(
                    f"k is {str(self.k)[:40]}: {self.activation} needs a number of latents from 1 to {self.d_sae}."
                )
            if self.activation == "groupmax" and self.d_sae % self.k:
                raise NbkitError(f"k is {self.k}: {self.d_sae} latents don't fall into so many equal groups.")
        elif self.k is not None:
            raise NbkitError(
                f"k is {self.k}, and {self.activation} keeps every latent that passes: leave k out, or choose topk or "
                "batch_topk."
            )
        if self.d_out is not None and (self.d_out < 1 or self.apply_b_dec_to_input):
            raise NbkitError("A transcoder predicts at least one number and doesn't subtract b_dec from its input.")
        words = {"normalize_activations": get_args(Normalization), "reshape_activations": get_args(Reshaping)}
        for name, choices in words.items():
            if getattr(self, name) not in choices:
                raise NbkitError(f"{name} is {str(getattr(self, name))[:40]!r}: choose one of {', '.join(choices)}.")
        if self.normalize_activations == "layer_norm" and self.d_in < 2:
            raise NbkitError("A layer norm of a single number is none: d_in must be at least 2.")

    @property
    def is_plain(self) -> bool:
        """Whether size, activation and k say all: the autoencoders that are trained here."""
        return self == Architecture(self.d_in, self.d_sae, self.activation, self.k) and self.is_trainable

    @property
    def is_trainable(self) -> bool:
        """Whether `train_sae` knows its activation."""
        return self.activation in get_args(Activation)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The tensors that it has and their shapes."""
        d_out = self.d_out or self.d_in
        shapes: dict[str, tuple[int, ...]] = {
            "w_enc": (self.d_in, self.d_sae),
            "b_enc": (self.d_sae,),
            "w_dec": (self.d_sae, d_out),
            "b_dec": (d_out,),
            "threshold": (self.d_sae,) if self.activation == "jumprelu" else (),
        }
        if self.activation == "gated":
            shapes |= {"b_gate": (self.d_sae,), "r_mag": (self.d_sae,)}
        if self.skip:
            shapes["w_skip"] = (self.d_in, d_out)
        return shapes

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Raises NbkitError if a tensor is missing, too many, of a wrong shape or not of finite numbers."""
        shapes = self.shapes
        if odd := sorted(set(shapes) ^ set(tensors)):
            what = "it lacks" if odd[0] in shapes else "it has besides the weights of such an autoencoder"
            raise NbkitError(f"{what} the tensor {odd[0][:60]!r}")
        for name, tensor in tensors.items():
            if tensor.shape != shapes[name]:
                raise NbkitError(
                    f"{name} has shape {tuple(tensor.shape)}; with d_in = {self.d_in} and d_sae = {self.d_sae} it must "
                    f"have {shapes[name]}"
                )
            if tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
                raise NbkitError(f"{name} holds {tensor.dtype}: floating-point numbers of 16 to 64 bits are needed")
            if not bool(tensor.isfinite().all()):
                raise NbkitError(f"{name} holds NaN or infinite values")

    def as_fields(self) -> dict[str, Any]:
        """Its fields, as a JSON file holds them."""
        return asdict(self)
