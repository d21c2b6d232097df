"""The latents of sparse autoencoders and transcoders as units: a site for each autoencoder.

**What a latent is of, where it wins against others.** A latent passes or doesn't: by its sign (ReLU), a threshold of
its own (JumpReLU, BatchTopK), a gate, or because it is among the largest (TopK). Where it passes, its activation is its
pre-activation, h·w + b, so the gradient of the activation with respect to h is w, and h times it, element by element,
the neuron embedding of equation 1. Where it loses the gradient is zero, and so is the activation: there is no dataset
example. Which rule let it pass does not enter the embedding.

**Which vector the weights receive.** The activations at the hook point, normalized if the autoencoder's architecture
says so. That many encoders subtract `b_dec` first changes no activation, since b_dec·w can be a part of the bias; it
changes the embedding, h ∘ w against (h - b_dec) ∘ w. The paper doesn't say; the default is h, as for its neurons, so
that the embeddings of a latent and of a neuron that reads the same vector can be compared.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_choice, shown
from nbkit.models import LanguageModel
from nbkit.models.capturing import IN_BLOCK
from nbkit.models.hook_points import HookPoint
from nbkit.models.language_model import ALLOWED_ROUNDING
from nbkit.models.processed import ADDED_TO_STREAM, PROCESSED_END, STREAM
from nbkit.models.site import Site
from nbkit.models.units import ModelUnits
from nbkit.models.values import SparseValues, Values
from nbkit.models.weights import NeuronWeights, as_float, input_weight, relative_error
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.hooks import are_same_place

EXAMPLE_HOOK = "blocks.12.hook_resid_post"
CELLS_AT_ONCE = 1 << 23
"""Of a dense tensor of tokens x latents: 32 MB in float32."""


@dataclass(frozen=True, eq=False)
class SaeLatents(ModelUnits):
    """The latents of sparse autoencoders of a language model. Made by `nbkit.sae_latents`."""

    model: LanguageModel
    """Language model whose vectors the autoencoders read."""
    saes: tuple[SparseAutoencoder, ...]
    """Autoencoders, one for each site, on the model's device."""
    hooks: tuple[HookPoint, ...]
    """Hook point that each autoencoder reads."""
    sources: tuple[str, ...]
    """Name of each autoencoder."""
    reads: Literal["activations", "centered"] = "activations"
    """What embeddings are made of: the `activations` h that an autoencoder reads, or h - b_dec, `centered`."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """To travel to another process, where the hook points are those of the model there."""
        saes = tuple(copy.deepcopy(sae).cpu() for sae in self.saes)
        return _again, (self.model, saes, tuple(hook.name for hook in self.hooks), self.sources, self.reads)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """A site for each autoencoder, numbered from 0."""
        return tuple(
            Site(
                number=number,
                name=hook.name,
                unit="latent",
                n_units=sae.d_sae,
                width=sae.d_in,
                gated=False,
                activation="linear",
                reads=_reads(sae, self.reads),
                rule=_rule(sae),
                source=source,
                sha256=sae.sha256,
            )
            for number, (sae, hook, source) in enumerate(zip(self.saes, self.hooks, self.sources, strict=True))
        )

    def weights(self, site: int) -> NeuronWeights:
        """Encoder weights and biases of a site's latents; of a gated autoencoder those of the magnitudes."""
        sae = self.saes[site]
        w, b, b_dec = (as_float(tensor) for tensor in (sae.w_enc.T, sae.b_enc, sae.b_dec))
        if sae.activation == "gated":
            w = w * as_float(sae.r_mag).exp()[:, None]
        if sae.architecture.apply_b_dec_to_input and self.reads == "activations":
            b = b - w @ b_dec
        return NeuronWeights(w.contiguous(), b, None, None)

    def received(self, site: int, vectors: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """What an encoder's weights receive of vectors at its hook point, (n, width): normalized and centered as the
        encoder has it; in float32 if that changes them."""
        sae = self.saes[site]
        if sae.architecture.normalize_activations != "none":
            vectors = sae.received(vectors).detach().to(vectors.device)
        if self.reads == "centered":
            vectors = vectors.float() - sae.b_dec.detach().float().to(vectors.device)
        return vectors

    def points(self, site: int) -> tuple[HookPoint, ...]:
        """The hook point that tells what a site's latents read and how active they are."""
        return (self.hooks[site],)

    def values(self, site: int, vectors: Sequence[Tensor]) -> tuple[Float[Tensor, "b t width"], SparseValues]:
        """The vectors that a site's latents read, (b, t, width), and the latents' activations."""
        return vectors[0], active(self.saes[site], vectors[0])

    def written(self, site: int) -> Float[Tensor, "n_units d_model"] | None:
        """What each latent of a site adds to the residual stream at 1: the decoder's rows where they are written into
        the residual stream, straight or through the MLP's last layer; None elsewhere, as of an autoencoder of what an
        MLP reads. Rows at a processed hook point keep the mean that processing would take away: the LayerNorm before
        the logits does so too."""
        sae, end = self.saes[site], self.model.unembedding
        name: str | None = self.hooks[site].name if sae.architecture.d_out is None else sae.hook_out
        place = IN_BLOCK.fullmatch((name or "").removesuffix(PROCESSED_END))
        if end is None or place is None:
            return None
        layer, name, rows = int(place[1]), place[2], sae.w_dec.detach().float()
        if name in (*STREAM, *ADDED_TO_STREAM):
            return rows
        if name == "mlp.hook_post":
            rows, name = rows @ input_weight(self.model.output_weights(layer)).T.to(rows), "mlp.hook_out"
        return rows * end.written[layer].to(rows) if name == "mlp.hook_out" else None

    def check(self) -> None:
        """Checks on a few tokens of every site that weights and received vectors give the latents.

        Raises:
            NbkitError: they don't, so the autoencoder can't be honored.
        """

        def compare(site: int, vectors: Tensor, values: Values) -> None:
            assert isinstance(values, SparseValues)
            weights, received = self.weights(site), as_float(self.received(site, vectors.flatten(0, -2)))
            pre = received @ weights.w_in.T + weights.b_in
            latents = torch.zeros_like(pre).view(-1).index_put_((values.entry.cpu(),), values.value.cpu().float())
            latents = latents.view_as(pre)
            error = relative_error(pre.where(latents > 0, 0), latents)
            if not error <= ALLOWED_ROUNDING.get(self.saes[site].w_enc.dtype, ALLOWED_ROUNDING[torch.float32]):
                raise NbkitError(
                    f"{self.sources[site]} at {self.hooks[site].name}: the received vectors and the encoder's weights "
                    f"don't reproduce the latents (relative error {error:.1e}); this autoencoder is not supported"
                )

        with self.captured(range(len(self.saes)), compare) as run:
            run(self.model.probe())


def sae_latents(
    model: LanguageModel,
    saes: SparseAutoencoder
    | str
    | Path
    | Sequence[SparseAutoencoder | str | Path]
    | Mapping[str, SparseAutoencoder | str | Path],
    hook: str | None = None,
    reads: Literal["activations", "centered"] = "activations",
) -> SaeLatents:
    """The latents of sparse autoencoders or transcoders of a language model, as units for `build_atlas`.

    Args:
        model: what `load_model` gives.
        saes: an autoencoder, or what `SparseAutoencoder.load` opens; several in a list, each with a hook point in its
            own config; or a dict from hook points to autoencoders. Each becomes a site, numbered from 0.
        hook: where a single one reads, if its config doesn't tell: see `LanguageModel.hook_point`.
        reads: what the embedding of equation 1 multiplies with the encoder's weights: `activations` h, or `centered`
            h - b_dec, where the encoder subtracts b_dec. The latents are the same.

    Raises:
        NbkitError: the model has no such hook point, an autoencoder doesn't fit it or doesn't say where it reads, or it
            can't be opened.
    """
    if not isinstance(model, LanguageModel):
        raise NbkitError(f"model is of type {type(model).__name__}: give what nbkit.load_model makes")
    checked_choice("reads", reads, ("activations", "centered"))
    pairs: list[tuple[str | None, object]] = [(hook, saes)]
    if isinstance(saes, Mapping):
        pairs = list(saes.items())
    elif isinstance(saes, list | tuple):
        pairs = [(None, each) for each in saes]
    if not pairs:
        raise NbkitError("saes is empty: give at least one autoencoder")
    if hook is not None and isinstance(saes, Mapping | list | tuple):
        raise NbkitError("hook is for a single autoencoder: give several as a dict from hook points to autoencoders")
    opened = [_opened(place, sae) for place, sae in pairs]
    points = [model.hook_point(place) for _, place, _ in opened]
    for (sae, place, source), point in zip(opened, points, strict=True):
        if sae.d_in != point.width:
            raise NbkitError(
                f"{source} reads vectors of {sae.d_in} numbers, and {place} of model {model.name!r} has vectors of "
                f"{point.width}: it belongs to another hook point or model"
            )
        if reads == "centered" and not sae.architecture.apply_b_dec_to_input:
            raise NbkitError(f"{source} doesn't subtract b_dec from its input: leave reads at 'activations'")
    moved = tuple(copy.deepcopy(sae).to(model.device).requires_grad_(False) for sae, _, _ in opened)
    units = SaeLatents(model, moved, tuple(points), tuple(source for _, _, source in opened), reads)
    units.check()
    return units


@torch.no_grad()
def active(sae: SparseAutoencoder, vectors: Float[Tensor, "b t d_in"]) -> SparseValues:
    """The latents of vectors: the pairs that are not 0, from a dense tensor of few tokens at a time."""
    b, t, _ = vectors.shape
    entries, values = [], []
    rows = max(1, CELLS_AT_ONCE // sae.d_sae)
    for start, part in zip(range(0, b * t, rows), vectors.flatten(0, 1).split(rows), strict=True):
        entry, value = sae.active(part)
        entries.append(entry + start * sae.d_sae)
        values.append(value.float())
    return SparseValues((b, t, sae.d_sae), torch.cat(entries), torch.cat(values))


def _again(
    model: LanguageModel,
    saes: tuple[SparseAutoencoder, ...],
    hooks: tuple[str, ...],
    sources: tuple[str, ...],
    reads: Literal["activations", "centered"],
) -> SaeLatents:
    moved = tuple(sae.to(model.device) for sae in saes)
    return SaeLatents(model, moved, tuple(model.hook_point(hook) for hook in hooks), sources, reads)


def _opened(place: str | None, sae: object) -> tuple[SparseAutoencoder, str, str]:
    """An autoencoder, where it reads and what it is called."""
    if place is not None and not isinstance(place, str):
        raise NbkitError(f"hook is {shown(place)}: give the name of a hook point, such as {EXAMPLE_HOOK!r}")
    if isinstance(sae, str | Path):
        found, source = SparseAutoencoder.load(sae), _called(str(sae))
    elif isinstance(sae, SparseAutoencoder):
        found, source = sae, f"{sae.d_sae} {sae.activation} latents"
    else:
        raise NbkitError(f"an autoencoder is of type {type(sae).__name__}: give what nbkit.load_sae or train_sae makes")
    if place is None and found.hook is None:
        raise NbkitError(f"{source} doesn't say where its activations come from: give hook, such as {EXAMPLE_HOOK!r}")
    if place is not None and found.hook is not None and not are_same_place(place, found.hook):
        raise NbkitError(f"{source} was trained at {found.hook}, and {shown(place)} was given: leave hook out")
    return found, str(place or found.hook), source


def _called(path: str) -> str:
    """A hub id as it is; of a folder or file what it is called, not where it lies."""
    is_local = Path(path).expanduser().exists()
    return Path(path).expanduser().resolve().name if is_local else path.removeprefix("hf:")


def _reads(sae: SparseAutoencoder, reads: str) -> str:
    """The vector that the weights receive, in words."""
    norm = {
        "none": "the activations",
        "constant_norm_rescale": "the activations at norm sqrt(d_in)",
        "layer_norm": "the activations at mean 0 and standard deviation 1",
    }[sae.architecture.normalize_activations]
    return norm if reads == "activations" else f"{norm} minus b_dec"


def _rule(sae: SparseAutoencoder) -> str:
    """Which latents pass, in words."""
    return {
        "relu": "ReLU",
        "topk": f"TopK, k = {sae.k}",
        "batch_topk": f"BatchTopK, k = {sae.k}",
        "jumprelu": "JumpReLU",
        "gated": "gated",
        "groupmax": f"the largest of each of {sae.k} groups",
    }[sae.activation]
