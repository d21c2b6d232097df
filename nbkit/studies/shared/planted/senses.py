"""Task "senses": one word in two senses, and two words in the same two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole
from nbkit.method.truth.unit import LabeledUnit, Unit
from nbkit.studies.shared.planted.labeled_contexts import LabeledContexts
from nbkit.studies.shared.planted.probes import Probes
from nbkit.studies.shared.planted.token_reads import held_out

SENSES = {"noun": "nn", "verb": "vb"}
"""The two senses and their tags; their probes go by these names too."""
FEWEST_OF_A_SENSE = 5


def sense_words(
    labeled: LabeledContexts, among: Bool[np.ndarray, " n"], most: int
) -> dict[str, dict[str, Int[np.ndarray, "k 2"]]]:
    """The words in lower case that occur most often in both senses, as one and the same token.

    Args:
        among: the contexts that are looked at.
        most: how many words.

    Returns:
        By word, those whose rarer sense is most frequent first, and by sense: the number and position of each context's
        first token of it, in order.
    """
    text = among[:, None] & ~labeled.contexts.special & np.isin(labeled.tag, list(SENSES.values()))
    context, position = np.nonzero(text)
    tokens = pd.DataFrame(
        {
            "context": context,
            "position": position,
            "word": labeled.word[context, position],
            "tag": labeled.tag[context, position],
            "token": labeled.contexts.tokens[context, position],
        }
    )
    tokens = tokens[[word.islower() for word in tokens["word"]]]
    usual = tokens.groupby("word")["token"].agg(lambda ids: ids.mode()[0])
    tokens = tokens[tokens["token"].to_numpy() == usual[tokens["word"]].to_numpy()]
    firsts = tokens.drop_duplicates(["word", "context"])
    counts = (
        firsts.groupby(["word", "tag"])
        .size()
        .unstack(fill_value=0)
        .reindex(columns=list(SENSES.values()), fill_value=0)
    )
    chosen = counts.min(axis=1).sort_values(ascending=False, kind="stable").head(most)
    found = {}
    for word in chosen.index[chosen >= FEWEST_OF_A_SENSE]:
        here = firsts[firsts["word"] == word]
        found[word] = {
            sense: here.loc[here["tag"] == tag, ["context", "position"]].to_numpy() for sense, tag in SENSES.items()
        }
    return found


def sense_units(probes: Probes, words: int = 12, each: int = 12, neurons: int = 2, seed: int = 0) -> list[LabeledUnit]:
    """Units whose examples are nouns and verbs of the same form: one word ("run", "a run"), or two of them.

    The labels are the senses, so in units of two words a space is right that goes by meaning, not by form; see
    `form_or_meaning`. The examples are read by a planted unit, the sum of the probes for nouns and verbs, and by the
    real neurons of the layer that they move most: the highest mean of their pre-activations, in standard deviations
    over the background. The control's weights are those of two other probes, or of another neuron.

    Args:
        probes: of a layer, those for `noun` and `verb` among them.
        words: how many words are looked for, in the documents that the probes were not trained on.
        each: examples of a word and sense at most.
        neurons: how many real neurons read each set of examples.
        seed: of the draws.

    Raises:
        NbkitError: there are no such probes, or no word occurs in both senses five times.
    """
    reads, rng = probes.reads, np.random.default_rng(seed)
    if missing := [sense for sense in SENSES if sense not in probes.names]:
        raise NbkitError(f"{reads.group} has no probe for {missing[0]}: train those of parts of speech.")
    among = held_out(reads.labeled.contexts.documents, probes.seed)
    found = sense_words(reads.labeled, among, checked_whole("words", words, 1))
    if not found:
        raise NbkitError(
            f"{reads.group}: no word occurs {FEWEST_OF_A_SENSE} times in both senses: give "
            "contexts of `choose_contexts`."
        )
    place = {where: row for row, where in enumerate(zip(reads.context.tolist(), reads.position.tolist(), strict=True))}
    rows = {
        word: [
            np.sort([place[c, p] for c, p in rng.permutation(each_of)[:each].tolist()]) for each_of in senses.values()
        ]
        for word, senses in found.items()
    }
    sets = [(word,) for word in rows] + list(pairwise(rows))
    pre = reads.background.vectors @ reads.neurons.T  # (background, m)
    usual = np.stack([pre.mean(axis=0), pre.std(axis=0)])
    return [unit for forms in sets for unit in _of_forms(probes, forms, rows, usual, neurons, rng)]


def _of_forms(
    probes: Probes,
    forms: tuple[str, ...],
    rows: Mapping[str, list[Int[np.ndarray, " k"]]],
    usual: Float[np.ndarray, "2 m"],
    neurons: int,
    rng: np.random.Generator,
) -> Iterator[LabeledUnit]:
    reads = probes.reads
    chosen = np.concatenate([part for form in forms for part in rows[form]])
    labels = np.concatenate([np.full(len(part), sense) for form in forms for sense, part in enumerate(rows[form])])
    text = reads.text(chosen)
    for name, weights, other in _readers(probes, reads.read[chosen], usual, neurons, rng):
        yield LabeledUnit(
            unit=Unit(reads.read[chosen], weights, reads.background, text=text),
            other_weights=other,
            labels=labels,
            ambiguous=np.zeros(len(labels), dtype=bool),
            name=f"{reads.group} {', '.join(forms)}: {name}",
            group=reads.group,
            task="senses",
            difficulty={
                "reader": name.split()[0],
                "words": float(len(forms)),
                "n_examples": float(len(labels)),
            },
        )


def _readers(
    probes: Probes,
    read: Float[np.ndarray, "n d"],
    usual: Float[np.ndarray, "2 m"],
    neurons: int,
    rng: np.random.Generator,
) -> Iterator[tuple[str, Float[np.ndarray, " d"], Float[np.ndarray, " d"]]]:
    """Name, weights and the control's weights of the units that read some examples; `usual` has mean and standard
    deviation of each neuron's pre-activation."""
    senses = [probes.names.index(sense) for sense in SENSES]
    others = rng.permutation(np.setdiff1d(np.arange(len(probes.names)), senses))[: len(senses)]
    yield f"probes ({probes.method})", probes.weights[senses].sum(axis=0), probes.weights[others].sum(axis=0)
    real = probes.reads.neurons
    away = read.mean(axis=0) @ real.T - usual[0]
    moved = np.divide(away, usual[1], out=np.full(len(away), -np.inf), where=usual[1] > 0)
    for neuron in np.argsort(-moved, kind="stable")[:neurons].tolist():
        other = int(rng.integers(len(real) - 1))
        yield f"neuron {neuron}", real[neuron], real[other + (other >= neuron)]
