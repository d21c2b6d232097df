"""A sparse autoencoder of a layer's activations (section 3.3), with ReLU, TopK or BatchTopK latents.

    z = act((h - b_dec) @ w_enc + b_enc)        latents
    reconstruction = z @ w_dec + b_dec

Untied, the decoder's rows not normalized, as in the paper. The functions below take any leading dimensions, so a stack
of autoencoders is one computation (see `nbkit.sae.training.train_saes`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from nbkit.errors import NbkitError
from nbkit.files import FILE_SCHEMA, check_seal, make_folder, read_tensors, write_json, write_tensors
from nbkit.sae.foreign import read_checkpoint

Activation = Literal["relu", "topk", "batch_topk"]
SAE_CONFIG = "cfg.json"
SAE_WEIGHTS = "sae.safetensors"


class SaeOutput(NamedTuple):
    """What a sparse autoencoder makes of a batch."""

    latents: Float[Tensor, "b d_sae"]
    reconstruction: Float[Tensor, "b d_in"]


class SparseAutoencoder(nn.Module):
    """A sparse autoencoder. Made by `train_sae`, or read with `SparseAutoencoder.load`."""

    threshold: Tensor
    """Of `batch_topk`: the pre-activation above which a latent passes after training; 0 for the others."""

    def __init__(
        self, d_in: int, d_sae: int, activation: Activation = "relu", k: int | None = None, seed: int = 0
    ) -> None:
        """Random weights: for `relu` uniform, of PyTorch's linear layers' width; for the others as in Gao et al. 2024,
        the decoder's rows random unit vectors, the encoder their transpose, no biases.

        Args:
            d_in: width of the activations that it reconstructs.
            d_sae: number of latents.
            activation: `relu`; `topk` keeps each input's k largest pre-activations (Gao et al. 2024); `batch_topk` the
                b * k largest of a batch of b while it trains, and after that those above `threshold`, their mean
                smallest value (Bussmann et al. 2024). Negative ones never pass.
            k: latents kept for an input; for `topk` and `batch_topk` only.
            seed: of the weights.

        Raises:
            NbkitError: a size below 1, an unknown activation, or a k that is missing, out of range or not wanted.
        """
        super().__init__()
        _check_sizes(d_in, d_sae, activation, k)
        self.d_in, self.d_sae, self.activation, self.k = d_in, d_sae, activation, k
        generator = torch.Generator().manual_seed(seed)

        def uniform(*shape: int, fan_in: int) -> nn.Parameter:
            return nn.Parameter((2 * torch.rand(*shape, generator=generator) - 1) / fan_in**0.5)

        if activation == "relu":
            self.w_enc = uniform(d_in, d_sae, fan_in=d_in)
            self.b_enc = uniform(d_sae, fan_in=d_in)
            self.w_dec = uniform(d_sae, d_in, fan_in=d_sae)
            self.b_dec = uniform(d_in, fan_in=d_sae)
        else:
            directions = normalize(torch.randn(d_sae, d_in, generator=generator), dim=1)
            self.w_enc, self.w_dec = nn.Parameter(directions.T.contiguous()), nn.Parameter(directions)
            self.b_enc, self.b_dec = nn.Parameter(torch.zeros(d_sae)), nn.Parameter(torch.zeros(d_in))
        self.register_buffer("threshold", torch.zeros(()))

    def encode(self, h: Float[Tensor, "b d_in"]) -> Float[Tensor, "b d_sae"]:
        """The latents of activations.

        Raises:
            NbkitError: `h` is not (b, d_in).
        """
        if h.ndim != 2 or h.shape[1] != self.d_in:
            raise NbkitError(
                f"The activations have shape {tuple(h.shape)}: this sparse autoencoder reads (b, {self.d_in})."
            )
        pre = pre_activations(h, self.w_enc, self.b_enc, self.b_dec)
        if self.activation == "batch_topk":
            return pre * (pre > self.threshold)
        return activate(pre, self.activation, self.k)

    def decode(self, z: Float[Tensor, "b d_sae"]) -> Float[Tensor, "b d_in"]:
        """The reconstruction from latents."""
        return affine(z, self.w_dec, self.b_dec)

    def forward(self, h: Float[Tensor, "b d_in"]) -> SaeOutput:
        """Latents and reconstruction; see `encode`."""
        z = self.encode(h)
        return SaeOutput(z, self.decode(z))

    def save(self, folder: str | Path) -> None:
        """Writes `cfg.json` and `sae.safetensors`, each whole or not at all.

        Raises:
            NbkitError: if the folder can't be written.
        """
        folder = Path(folder)
        make_folder(folder)
        write_tensors({name: tensor.contiguous() for name, tensor in self.state_dict().items()}, folder / SAE_WEIGHTS)
        config = {
            "schema": FILE_SCHEMA,
            "d_in": self.d_in,
            "d_sae": self.d_sae,
            "activation": self.activation,
            "k": self.k,
        }
        write_json(config, folder / SAE_CONFIG)

    @classmethod
    def load(cls, path: str | Path, activation: Activation = "relu", k: int | None = None) -> SparseAutoencoder:
        """Reads a folder that `save` wrote, or the weights of another code.

        Args:
            path: the folder; or a file of tensors (`.safetensors`, or a torch state dict, read without running code)
                named `encoder.weight`, `encoder.bias`, `decoder.weight`, `decoder.bias` as by linear layers, or
                `W_enc`, `b_enc`, `W_dec`, `b_dec` as by SAELens. Such an encoder must subtract `b_dec` from its input.
            activation: of a foreign file, which doesn't tell.
            k: of a foreign file.

        Raises:
            NbkitError: there is nothing to read, it holds code, a tensor is missing, too many, of a wrong shape or not
                finite.
        """
        path = Path(path)
        if not path.is_dir():
            tensors = read_checkpoint(path)
            d_in, d_sae = tensors["w_enc"].shape
            sae = cls(d_in, d_sae, activation, k)
            tensors.setdefault("threshold", torch.zeros(()))
        else:
            sae, tensors = _empty(path), read_tensors(path / SAE_WEIGHTS)
        _fill(sae, tensors, path)
        if path.is_dir():
            check_seal(path / SAE_CONFIG)  # last: the others say more exactly what is wrong
        return sae


def pre_activations(
    h: Float[Tensor, "... b d_in"],
    w_enc: Float[Tensor, "... d_in d_sae"],
    b_enc: Float[Tensor, "... d_sae"],
    b_dec: Float[Tensor, "... d_in"],
) -> Float[Tensor, "... b d_sae"]:
    """(h - b_dec) @ w_enc + b_enc, with b_dec @ w_enc taken into the bias: a matrix product less in the gradient."""
    return affine(h, w_enc, b_enc - (b_dec[..., None, :] @ w_enc)[..., 0, :])


def affine(x: Float[Tensor, "... b i"], w: Float[Tensor, "... i o"], b: Float[Tensor, "... o"]) -> Tensor:
    """x @ w + b in one pass."""
    return torch.addmm(b, x, w) if x.ndim == 2 else torch.baddbmm(b[..., None, :], x, w)


def activate(pre: Float[Tensor, "... b d_sae"], activation: str, k: int | None) -> Float[Tensor, "... b d_sae"]:
    """The latents of pre-activations, as they are while training."""
    if activation == "relu":
        return pre.relu()
    assert k is not None
    shape = pre.shape
    if activation == "batch_topk":
        k *= shape[-2]
        pre = pre.flatten(-2)
    values, places = pre.topk(k, dim=-1, sorted=False)
    return torch.zeros_like(pre).scatter_(-1, places, values.relu()).view(shape)


def _empty(folder: Path) -> SparseAutoencoder:
    """An autoencoder of the shape that a saved one has."""
    try:
        config = json.loads((folder / SAE_CONFIG).read_text(encoding="utf-8"))
        if config["schema"] != FILE_SCHEMA:
            raise NbkitError(f"{folder} has schema {config['schema']}, this nbkit reads {FILE_SCHEMA}: save it again")
        return SparseAutoencoder(config["d_in"], config["d_sae"], config["activation"], config["k"])
    except FileNotFoundError as error:
        raise NbkitError(f"no sparse autoencoder in {folder}: it has no {SAE_CONFIG}") from error
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise NbkitError(f"{folder / SAE_CONFIG} doesn't describe a sparse autoencoder ({error})") from error


def _fill(sae: SparseAutoencoder, tensors: dict[str, Tensor], path: Path) -> None:
    """Takes the weights in.

    Raises:
        NbkitError: a tensor is missing, too many, of a wrong shape or not finite.
    """
    own = sae.state_dict()
    if odd := sorted(set(own) ^ set(tensors)):
        what = "lacks" if odd[0] in own else "has besides the weights of a sparse autoencoder"
        raise NbkitError(f"{path} {what} the tensor {odd[0]!r}")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise NbkitError(
                f"{path}: {name} has shape {tuple(tensor.shape)}; with d_in = {sae.d_in} and d_sae = {sae.d_sae} it "
                f"must have {tuple(own[name].shape)}"
            )
        if not bool(tensor.isfinite().all()):
            raise NbkitError(f"{path}: {name} holds NaN or infinite values")
    sae.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})


def _check_sizes(d_in: int, d_sae: int, activation: str, k: int | None) -> None:
    if d_in < 1 or d_sae < 1:
        raise NbkitError(f"A sparse autoencoder of {d_in} inputs and {d_sae} latents is none: both must be at least 1.")
    if activation not in get_args(Activation):
        raise NbkitError(f"There is no activation {activation!r}: choose one of {', '.join(get_args(Activation))}.")
    if activation == "relu" and k is not None:
        raise NbkitError(f"k is {k}, and relu keeps every positive latent: leave k out, or choose topk or batch_topk.")
    if activation != "relu" and (k is None or not 1 <= k <= d_sae):
        raise NbkitError(f"k is {k}: {activation} needs a number of latents from 1 to {d_sae}.")
