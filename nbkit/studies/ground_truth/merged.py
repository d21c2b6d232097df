"""Real neurons merged into units whose terms are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError
from nbkit.method.truth.merged import merged_units
from nbkit.method.truth.terms import GatedTerms, PlainTerms, Terms
from nbkit.method.truth.unit import Background, LabeledUnit, Text
from nbkit.models.weights import activation_function

FEWEST_OF_A_TERM = 10
"""Examples that a neuron needs to be a term."""


def merged_neurons(
    atlas: Atlas,
    terms: Sequence[int] = (2, 3, 5),
    n_examples: int = 100,
    balance: float = 1.0,
    seed: int = 0,
    outputs: bool = False,
    most: int | None = None,
    layers: Sequence[int] | None = None,
) -> list[LabeledUnit]:
    """Merge neurons of each layer of an atlas, see `merged_units`.

    A neuron reads with its input weights, a gated one with its gate's, which decide whether it opens: task "merged".
    With `outputs` gated neurons are summed by their activations, and read with the sum's mean gradient: task "gated".
    Which neurons are merged does not depend on any space; a term with several behaviors of its own counts as one.

    Args:
        atlas: of positive activations.
        terms: how many neurons are merged; units are made for each number.
        n_examples, balance, seed, most: see `merged_units`; most units of each layer and number.
        layers: of the atlas; None for all.
        outputs: whether to sum activations, of an atlas of gated neurons.

    Raises:
        NbkitError: the atlas looked for activations below zero, is of plain neurons though outputs are wanted, or a
            layer has too few neurons with ten examples.
    """
    if atlas.manifest.sign != "positive":
        raise NbkitError(f"The atlas is of {atlas.manifest.sign} activations: merging needs one of positive ones.")
    if outputs and not atlas.manifest.gated:
        raise NbkitError("The atlas is not of gated neurons: outputs are summed of those alone.")
    units = []
    for layer in atlas.layers if layers is None else layers:
        neurons = list(atlas.iterate(layer))
        read = [neuron.pre_mlp if len(neuron) >= FEWEST_OF_A_TERM else neuron.pre_mlp[:0] for neuron in neurons]
        readers = _readers(neurons, outputs)
        texts = [_text(neuron).take(np.arange(len(vectors))) for neuron, vectors in zip(neurons, read, strict=True)]
        background = Background(np.concatenate([neuron.pre_mlp for neuron in neurons]))
        for number in terms:
            units += merged_units(
                readers,
                read,
                f"{atlas.manifest.model} L{layer}",
                number,
                n_examples,
                balance,
                seed,
                task="gated" if outputs else "merged",
                background=background,
                most=most,
                texts=texts,
            )
    return units


def _text(neuron: Neuron) -> Text:
    raw = ["".join(tokens).encode("utf-8", "surrogateescape") for tokens, _ in neuron.snippet_tokens]
    return Text(neuron.key_ids, tuple(each.decode("utf-8", "replace") for each in raw))


def _readers(neurons: Sequence[Neuron], outputs: bool) -> Terms:
    if not outputs:
        return PlainTerms(np.stack([each.w_in if each.w_gate is None else each.w_gate for each in neurons]))
    weights = [neuron.weights for neuron in neurons]
    return GatedTerms(
        w_gate=np.stack([each.w_gate for each in weights if each.w_gate is not None]),
        w_in=np.stack([each.w_in for each in weights]),
        activation=activation_function(neurons[0].activation),
        b_gate=np.array([each.b_gate for each in weights]),
        b_in=np.array([each.b_in for each in weights]),
    )
