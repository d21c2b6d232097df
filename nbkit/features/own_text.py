"""What a neuron makes of a text that is in no corpus: its activations, and how far its peak is from every example.

The text is read as a context of the atlas would be: with the tokens that the tokenizer adds around it, and without
those and the very first token among the candidates for the peak. The peak's embedding is of the atlas's default kind,
and its distance to a cluster the mean of its cosine distances to the cluster's examples, as average linkage has it: at
the cut at t it joins the nearest cluster if that distance is at most t, and stands alone otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.distance import cdist

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.method.checks import have_direction
from nbkit.models import LanguageModel
from nbkit.models.neurons import units_of
from nbkit.models.sign import strength
from nbkit.models.token_bytes import raw_text, token_bytes
from nbkit.models.units import ModelUnits
from nbkit.models.values import Values


@dataclass(frozen=True, eq=False)
class OwnText:
    """A text of t tokens as a neuron with n dataset examples reads it."""

    tokens: tuple[str, ...]
    """The raw texts (see `token_bytes`) of its tokens, those that the tokenizer adds among them."""
    activations: Float[np.ndarray, " t"]
    """The neuron's activation on each."""
    peak: int
    """Where it is strongest, as the atlas's examples are chosen (see `nbkit.models.sign`): the first such position,
    those left out that dataset examples are never of."""
    of_maximum: float
    """The strength there as a share of the maximum that the atlas knows; NaN if that is not positive."""
    distances: Float[np.ndarray, " n"] | None
    """Cosine distance of the peak's embedding to that of each dataset example; None if there are
    no examples, or an embedding has no direction."""
    quadrant: str | None
    """The one of `nbkit.atlas.quadrants.QUADRANTS` in which the peak lies; None if the neuron is not gated."""


def read_own_text(model: LanguageModel | ModelUnits, atlas: Atlas, layer: int, index: int, text: str) -> OwnText:
    """Let a neuron read a text; the model is run up to its layer.

    Args:
        model: the model, or the units of another kind, that the atlas was made with.
        atlas: which holds the neuron.
        layer, index: the neuron.
        text: at most as many tokens as the atlas's contexts have.

    Raises:
        NbkitError: there is no such neuron, the text is too short or too long, or activations are not finite.
    """
    neuron, manifest = atlas.neuron(layer, index), atlas.manifest
    units = units_of(model, manifest.weights)
    tokenizer = units.model.tokenizer
    before, after = ([token for token, _ in added] for added in (manifest.added_before, manifest.added_after))
    encoded = tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
    ids = [*before, *encoded, *after]
    first, end = max(len(before), 1), len(ids) - len(after)
    if end <= first:
        raise NbkitError("The text is too short: give at least two tokens, since the first of a context never counts.")
    if len(ids) > manifest.length:
        raise NbkitError(f"The text has {len(ids):,} tokens: give at most {manifest.length}, as many as a context has.")
    found: list[tuple[torch.Tensor, Values]] = []
    with units.captured([layer], lambda _, vectors, values: found.append((vectors[0], values))) as run:
        run(torch.tensor([ids]))
    [(vectors, values)] = found
    place = torch.tensor([0, index], device=units.model.device)
    activations = values.traces(place[:1], place[1:])[0].cpu().numpy()
    if not np.isfinite(activations).all():
        raise NbkitError(f"{neuron.name} has activations on this text that are not finite.")
    strengths = strength(activations, manifest.sign)
    peak = first + int(strengths[first:end].argmax())
    received = units.received(layer, vectors[peak : peak + 1].float().cpu()).numpy()
    quadrants = neuron.weights.quadrants(received)
    maximum = neuron.max_activation
    return OwnText(
        tokens=_texts(units.model, atlas, ids),
        activations=activations,
        peak=peak,
        of_maximum=float(strengths[peak] / maximum) if maximum > 0 else float("nan"),
        distances=_distances(neuron.embeddings(), neuron.embed(received)),
        quadrant=None if quadrants is None else str(quadrants[0]),
    )


def _distances(examples: Float[np.ndarray, "n d"], own: Float[np.ndarray, "1 d"]) -> Float[np.ndarray, " n"] | None:
    if not len(examples) or not have_direction(examples).all() or not have_direction(own).all():
        return None
    distances: Float[np.ndarray, " n"] = cdist(examples.astype(float), own.astype(float), "cosine")[:, 0].clip(0, 2)
    return distances


def _texts(model: LanguageModel, atlas: Atlas, ids: list[int]) -> tuple[str, ...]:
    """The raw texts of tokens: those that the atlas knows come from there, since a tokenizer takes longer."""
    known = atlas.raw_texts
    new = sorted({token for token in ids if token not in known})
    found = known | dict(zip(new, map(raw_text, token_bytes(model.tokenizer, new)), strict=True)) if new else known
    return tuple(found[token] or f"⟨token {token}⟩" for token in ids)
