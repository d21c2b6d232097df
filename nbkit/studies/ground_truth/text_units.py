"""All units of a language model's layers whose behaviors are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nbkit.atlas.atlas import Atlas
from nbkit.method.truth.unit import LabeledUnit
from nbkit.studies.ground_truth.merged import merged_neurons
from nbkit.studies.ground_truth.merged_latents import merged_latents
from nbkit.studies.shared.planted.labeled_contexts import other_contexts
from nbkit.studies.shared.planted.layers import TextUnits, planted_layers
from nbkit.studies.shared.planted.token_reads import TokenReads, layer_vectors
from nbkit.studies.shared.text_and_model import model_of


def text_layers(
    atlas: Atlas, layers: Sequence[int], text: TextUnits, seed: int, around: bool = True
) -> Iterator[tuple[TokenReads, list[LabeledUnit]]]:
    """Of each layer what its MLP reads, and its units: concepts, merged probes, words in two senses, merged latents,
    and merged neurons of the atlas.

    Args:
        atlas: of the model's neurons.
        layers: of it.
        text: how many units are made.
        seed: of the draws.
        around: whether the text of planted units and words has what is around their vectors, see `read_around`, with
            which running SmolLM2 takes three to four times as long.

    Raises:
        NbkitError: the model can't be opened, or has no such layer, or no document is left to train latents on.
    """
    model = model_of(atlas, progress=False)
    others = layer_vectors(
        model, other_contexts(model, text.contexts // 2, documents=text.documents, seed=seed), layers
    )
    planted = planted_layers(model, layers, text, seed, around)
    for layer, (reads, units) in zip(layers, planted, strict=True):
        latents = merged_latents(reads, others[layer], text.terms, text.merged, seed)
        yield reads, [*units, *latents, *_merged(atlas, layer, text, seed)]


def _merged(atlas: Atlas, layer: int, text: TextUnits, seed: int) -> Iterator[LabeledUnit]:
    for outputs in (False, True)[: 1 + atlas.manifest.gated]:
        yield from merged_neurons(atlas, text.terms, most=text.merged, layers=[layer], seed=seed, outputs=outputs)
