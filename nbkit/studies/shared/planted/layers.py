"""The units of a language model's layers that need no atlas: planted ones, and words in two senses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from nbkit.errors import NbkitError
from nbkit.method.truth.dominant import FEWEST_OF_A_BEHAVIOR
from nbkit.method.truth.unit import LabeledUnit
from nbkit.models import LanguageModel
from nbkit.studies.shared.planted.chosen_contexts import choose_contexts
from nbkit.studies.shared.planted.concepts import concepts_of
from nbkit.studies.shared.planted.labeled_contexts import label_contexts
from nbkit.studies.shared.planted.probe_sums import concept_units, merged_probes
from nbkit.studies.shared.planted.probes import ProbeMethod, train_probes
from nbkit.studies.shared.planted.senses import sense_units
from nbkit.studies.shared.planted.token_reads import TokenReads, held_out, read_layers


@dataclass(frozen=True)
class TextUnits:
    """How many units are made of a layer of a language model."""

    documents: int = 150
    """Of the Brown corpus, see `label_contexts`."""
    contexts: int = 900
    """Of them, see `choose_contexts`."""
    terms: tuple[int, ...] = (2, 3, 4)
    """How many probes, and how many neurons, are added up."""
    methods: tuple[ProbeMethod, ...] = ("discriminant", "means")
    """How probes are trained."""
    planted: int = 2
    """Units of one kind, method and number of probes, labeled from outside; and as many by term."""
    merged: int = 8
    """Merged neurons of each number, by what opens them; of gated neurons as many by their outputs, and as many sums of
    latents."""
    words: int = 8
    """Words that are nouns and verbs, and as many pairs of them but one."""
    balances: tuple[float, ...] = (10, 50)
    """Examples of the first probe's concept over those of the second's in more sums of two probes."""


STANDARD_TEXT_UNITS = TextUnits()
PLANTED_TASKS: Mapping[str, str] = {
    "concept": "concepts",
    "merged probes": "merged probes",
    "senses": "noun or verb",
}
"""Titles of the tasks; the second is labeled by term, the others from outside."""


def planted_layers(
    model: LanguageModel, layers: Sequence[int], text: TextUnits, seed: int, around: bool = True
) -> Iterator[tuple[TokenReads, list[LabeledUnit]]]:
    """Of each layer what its MLP reads, and the units that need no atlas: concepts, merged probes and words in two
    senses.

    Args:
        model: whose layers they are.
        layers: their numbers.
        text: how many units are made.
        seed: of the draws.
        around: whether the units' text has what is around their vectors, see `read_around`.

    Raises:
        NbkitError: the model has no such layer.
    """
    labeled = label_contexts(model, documents=text.documents, seed=seed)
    chosen = choose_contexts(labeled, text.contexts, text.words, seed=seed)
    examples = held_out(chosen.contexts.documents, seed) if around else None  # the half that units' examples are of
    for reads in read_layers(model, chosen, layers, seed, examples):
        yield reads, list(_planted(reads, text, seed))


def examples_of(balance: float) -> int:
    """Examples of a sum of two probes: 100, or as many as leave the second probe's concept enough to be a behavior."""
    return max(100, math.ceil(FEWEST_OF_A_BEHAVIOR * (balance + 1)))


def _planted(reads: TokenReads, text: TextUnits, seed: int) -> Iterator[LabeledUnit]:
    kinds = concepts_of(reads)
    for number, method in enumerate(text.methods):
        probes = train_probes(reads, kinds, method, seed)
        yield from concept_units(probes, text.terms, most=text.planted, seed=seed)
        yield from merged_probes(probes, text.terms, most=text.planted, seed=seed)
        for balance in text.balances:
            n_examples = examples_of(balance)
            yield from concept_units(probes, (2,), n_examples, balance, most=text.planted, seed=seed)
            yield from merged_probes(probes, (2,), n_examples, balance, most=text.planted, seed=seed)
        with suppress(NbkitError):  # without words in two senses the task is left out
            yield from sense_units(probes, text.words, neurons=int(number == 0), seed=seed)  # the same for all methods
