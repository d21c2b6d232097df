"""Sparse autoencoders and transcoders of a layer's activations (section 3.3).

    x = norm(h)                                 what the encoder's weights receive
    z = act((x - b_dec) @ w_enc + b_enc)        latents
    reconstruction = norm^-1(z @ w_dec + b_dec)

Those that are trained here have ReLU, TopK or BatchTopK latents and no norm; untied, the decoder's rows not normalized,
as in the paper. Those of other codes may differ from this in what `Architecture` lists.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nbkit.errors import NbkitError
from nbkit.files import make_folder, sha256_of_tensors, user_path
from nbkit.method.checks import checked_choice, checked_seed
from nbkit.sae.architecture import Activation, AnyActivation, Architecture
from nbkit.sae.autoencoder_parts import Found
from nbkit.sae.equations import activate, affine, largest, normalized, pre_activations
from nbkit.sae.foreign.hub import local_path
from nbkit.sae.foreign.opening import open_files
from nbkit.sae.foreign.saelens_export import write_saelens
from nbkit.sae.hooks import Hooks, checked_hook
from nbkit.sae.initial_weights import initial_weights
from nbkit.sae.own_folder import SAE_CONFIG, SAE_WEIGHTS, write_folder
from nbkit.sae.tensors import as_tensor

__all__ = ["SAE_CONFIG", "SAE_WEIGHTS", "SaeOutput", "SparseAutoencoder", "activate", "pre_activations"]

_LATENTS_OF = "_nbkit_latents_of"


class SaeOutput(NamedTuple):
    """What a sparse autoencoder makes of a batch."""

    latents: Float[Tensor, "b d_sae"]
    reconstruction: Float[Tensor, "b d_out"]


class SparseAutoencoder(nn.Module):
    """A sparse autoencoder or transcoder. Made by `train_sae`, or read with `load_sae`."""

    d_in: int
    """Width of the activations that it reads."""
    d_sae: int
    """Number of latents."""
    activation: AnyActivation
    """`relu`, `topk`, `batch_topk`; read from other codes also `jumprelu` (a threshold for each latent) and `gated`
    (both of Rajamanoharan et al. 2024), and `groupmax` (sparsify's: the largest of each of k groups)."""
    k: int | None
    """Latents kept for an input, of `topk`, `batch_topk` and `groupmax`."""
    architecture: Architecture
    """How the autoencoder computes, as far as the weights don't say it."""
    hook: str | None = None
    """Where in a language model its activations come from, as `LanguageModel.hook_point` knows it
    (`blocks.5.hook_resid_post`), or as TransformerLens does; None if nothing says so. It may be set, and `save` keeps
    it."""
    hook_out: str | None = None
    """Where in a language model the vectors are that a transcoder predicts, named as in `hook`; None if nothing says
    so."""
    w_enc: nn.Parameter
    """(d_in, d_sae) input weights of the latents."""
    b_enc: nn.Parameter
    """(d_sae,) bias of the latents; of `gated`, that of the magnitudes."""
    w_dec: nn.Parameter
    """(d_sae, d_out) output weights of the latents."""
    b_dec: nn.Parameter
    """(d_out,) bias of the output, and subtracted from the input where the architecture says so."""
    threshold: Tensor
    """Pre-activation above which a latent passes: of `batch_topk` after training; of `jumprelu` one for each latent,
    (d_sae,); 0 for the others."""
    b_gate: nn.Parameter
    """(d_sae,) of `gated` only: bias of the gates."""
    r_mag: nn.Parameter
    """(d_sae,) of `gated` only: logarithm of the factor of the magnitudes' weights to the gates'."""
    w_skip: nn.Parameter
    """(d_in, d_out) of an architecture with a skip connection only: added to the output is h @ w_skip."""

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
        architecture = Architecture(d_in, d_sae, activation, k)
        if not architecture.is_trainable:
            raise NbkitError(f"{activation} autoencoders are read from other codes' files, not trained here.")
        self._take(architecture, initial_weights(architecture, checked_seed(seed)))

    @classmethod
    def of(cls, architecture: Architecture, tensors: dict[str, Tensor]) -> SparseAutoencoder:
        """The autoencoder of an architecture with these tensors, copied, all in the widest precision among them.

        Raises:
            NbkitError: a tensor is missing, too many, of a wrong shape or not finite.
        """
        architecture.check(tensors)
        dtype = tensors["w_enc"].dtype
        for tensor in tensors.values():
            dtype = torch.promote_types(dtype, tensor.dtype)
        sae = cls.__new__(cls)
        nn.Module.__init__(sae)
        sae._take(architecture, {name: tensor.to(dtype, copy=True) for name, tensor in tensors.items()})
        return sae

    def _take(self, architecture: Architecture, tensors: dict[str, Tensor]) -> None:
        self.architecture = architecture
        self.d_in, self.d_sae = architecture.d_in, architecture.d_sae
        self.activation, self.k = architecture.activation, architecture.k
        for name in architecture.shapes:
            if name == "threshold":
                self.register_buffer(name, tensors[name])
            else:
                self.register_parameter(name, nn.Parameter(tensors[name]))

    @property
    def d_out(self) -> int:
        """Width of the output: `d_in`, but for a transcoder."""
        return self.architecture.d_out or self.d_in

    @property
    def sha256(self) -> str:
        """sha256 of weights and architecture, in hexadecimal; where the autoencoder reads doesn't count."""
        return sha256_of_tensors(self.state_dict().items(), repr(sorted(self.architecture.as_fields().items())))

    @property
    def bias(self) -> Float[Tensor, " d_sae"]:
        """What is added to `received(h) @ w_enc`, all taken together: of `gated` that of the gates."""
        exact = self._exact
        b = exact(self.b_gate if self.activation == "gated" else self.b_enc)
        return b - exact(self.b_dec) @ exact(self.w_enc) if self.architecture.apply_b_dec_to_input else b

    def received(self, h: Float[Tensor, "b d_in"]) -> Float[Tensor, "b d_in"]:
        """What the encoder's weights receive, whose product with them is a latent's neuron embedding.

        These are the activations, normalized if the architecture says so; `b_dec` is a part of `bias`. In the weights'
        precision, but at least float32: activations of any precision are taken, and so are NumPy arrays and lists.

        Args:
            h: (b, d_in); of an architecture that reads all heads of attention also (b, heads, d_head).

        Raises:
            NbkitError: `h` has another shape or holds no real numbers.
        """
        return normalized(self._checked(h, "activations", self.d_in), self.architecture.normalize_activations)[0]

    def encode(self, h: Float[Tensor, "b d_in"]) -> Float[Tensor, "b d_sae"]:
        """The latents of activations, computed in float32 or wider and returned in the weights' precision.

        Args:
            h: as for `received`.

        Raises:
            NbkitError: `h` has another shape or holds no real numbers.
        """
        h = as_tensor(h, "The activations")
        z = self._latents(self.received(h)).to(self.w_enc.dtype)
        if self._output_needs_input or h.ndim == 3:
            setattr(z, _LATENTS_OF, h)  # lives as long as these latents do, so decode(encode(h)) is right
        return z

    def active(self, h: Float[Tensor, "b d_in"]) -> tuple[Int[Tensor, " pairs"], Float[Tensor, " pairs"]]:
        """The latents that `encode` gives and that aren't 0: the place of each in the flattened (b, d_sae), ascending,
        and its value.

        Args:
            h: as for `received`.

        Raises:
            NbkitError: `h` has another shape or holds no real numbers.
        """
        if self.activation != "topk":
            z = self.encode(h).flatten()
            place = z.nonzero()[:, 0]  # NaN is not 0
            return place, z[place]
        assert self.k is not None
        # A dense tensor would be filled with zeros only to be searched for what isn't.
        values, places = largest(self._pre_activations(self.received(h)), self.k)
        places, order = places.sort()
        values = values.to(self.w_enc.dtype).gather(1, order)
        places += torch.arange(len(places), device=places.device)[:, None] * self.d_sae
        return places[values != 0], values[values != 0]

    def decode(self, z: Float[Tensor, "b d_sae"], h: Float[Tensor, "b d_in"] | None = None) -> Float[Tensor, "b d_out"]:
        """The reconstruction from latents, or what a transcoder predicts.

        Args:
            z: the latents.
            h: what they are latents of: needed where the input is normalized, which is undone, or the architecture has
                a skip connection, unless `z` is the very tensor that `encode` returned, whose entries may be changed.

        Raises:
            NbkitError: a wrong shape, or `h` is needed.
        """
        a, exact = self.architecture, self._exact
        out = affine(self._checked(z, "latents", self.d_sae), exact(self.w_dec), exact(self.b_dec))
        h = getattr(z, _LATENTS_OF, None) if h is None else as_tensor(h, "The activations")
        if self._output_needs_input:
            if h is None:
                what = "has a skip connection" if a.skip else "normalizes its input"
                raise NbkitError(f"This autoencoder {what}: give decode the activations too, or call it on them.")
            flat = self._checked(h, "activations", self.d_in)
            if a.d_out is None:
                _, scale, mean = normalized(flat, self.architecture.normalize_activations)
                out = out * scale + mean
            if a.skip:
                out = out + flat @ exact(self.w_skip)
        out = out.to(self.w_dec.dtype)
        return out.view(h.shape) if h is not None and h.ndim == 3 else out

    def forward(self, h: Float[Tensor, "b d_in"]) -> SaeOutput:
        """Latents and reconstruction; see `encode` and `decode`."""
        z = self.encode(h)
        return SaeOutput(z, self.decode(z, h))

    def save(self, folder: str | Path, format: Literal["nbkit", "saelens"] = "nbkit") -> None:  # noqa: A002
        """Writes `cfg.json` and the weights in their precision, each whole or not at all.

        Args:
            folder: made if it isn't there.
            format: `nbkit`, with `sae.safetensors`; or `saelens`, with `sae_weights.safetensors`, which SAELens 6 opens
                (`SAE.load_from_disk`). SAELens keeps a `batch_topk` autoencoder as a `jumprelu` one, and `:processed`
                behind a hook point as what TransformerLens shall do to the weights.

        Raises:
            NbkitError: the folder can't be written, SAELens has no such architecture or hook points, or a hook is no
                name.
        """
        writers = {"nbkit": write_folder, "saelens": write_saelens}
        hooks = Hooks(checked_hook("hook", self.hook), checked_hook("hook_out", self.hook_out))
        write = writers[checked_choice("format", format, tuple(writers))]
        folder = user_path(folder)
        make_folder(folder)
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self.state_dict().items()}
        write(Found(self.architecture, tensors, hooks), folder)

    @classmethod
    def load(
        cls, path: str | Path, activation: AnyActivation | None = None, k: int | None = None, hook: str | None = None
    ) -> SparseAutoencoder:
        """Opens what `save` wrote, or what another code did, as `nbkit.load_sae` does.

        Args:
            path: the folder or the file of weights; or `owner/name`, `owner/name/sub/folder` on the Hugging Face hub,
                where `hf:owner/name` is never taken for a path. `NBKIT_OFFLINE` leaves the hub client's cache.
            activation: of weights without a description, `relu` if none is given; else it must agree with that.
            k: likewise, for `topk` and `batch_topk`.
            hook: where the activations come from, if nothing says so; else it must agree with that.

        Raises:
            NbkitError: there is nothing to read, it holds code, a description says what can't be obeyed or contradicts
                the weights or the arguments, or a tensor is missing, too many, of a wrong shape or not finite.
        """
        place = local_path(path)
        architecture, tensors, hooks = open_files(place, activation, k, hook)
        try:
            sae = cls.of(architecture, tensors)
        except NbkitError as error:
            raise NbkitError(f"{place}: {error}") from error
        sae.hook, sae.hook_out = hooks.read, hooks.predicted
        return sae

    def _latents(self, x: Float[Tensor, "b d_in"]) -> Float[Tensor, "b d_sae"]:
        """The latents of what the weights receive."""
        if self.activation == "gated":
            w, b_dec = self._exact(self.w_enc), self._exact(self.b_dec)
            shared = x @ w - b_dec @ w if self.architecture.apply_b_dec_to_input else x @ w
            magnitude = shared * self._exact(self.r_mag).exp() + self._exact(self.b_enc)
            return (shared + self._exact(self.b_gate) > 0) * magnitude.relu()
        pre = self._pre_activations(x)
        if self.activation in ("batch_topk", "jumprelu"):
            return pre.relu() * (pre > self._exact(self.threshold))
        return activate(pre, self.activation, self.k)

    def _pre_activations(self, x: Float[Tensor, "b d_in"]) -> Float[Tensor, "b d_sae"]:
        """Of all activations but `gated`."""
        w, b = self._exact(self.w_enc), self._exact(self.b_enc)
        subtract = self.architecture.apply_b_dec_to_input
        return pre_activations(x, w, b, self._exact(self.b_dec)) if subtract else affine(x, w, b)

    def _checked(self, values: Tensor, what: str, width: int) -> Tensor:
        """A batch in the precision of the computation, on the weights' device, heads one after the other."""
        x = as_tensor(values, f"The {what}")
        together = self.architecture.reshape_activations == "hook_z" and what == "activations" and x.ndim == 3
        flat = x.flatten(1) if together else x
        if flat.ndim != 2 or flat.shape[1] != width:
            raise NbkitError(f"The {what} have shape {tuple(x.shape)}: this sparse autoencoder reads (b, {width}).")
        return flat.to(self.w_enc.device, self._precision)

    @property
    def _output_needs_input(self) -> bool:
        """Whether latents alone don't give the output."""
        a = self.architecture
        return a.skip or (a.normalize_activations != "none" and a.d_out is None)

    @property
    def _precision(self) -> torch.dtype:
        return torch.promote_types(self.w_enc.dtype, torch.float32)

    def _exact(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._precision)
