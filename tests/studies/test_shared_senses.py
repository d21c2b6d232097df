"""Words in two senses: which are found, what reads them, and spaces that go by form or by meaning for sure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import Float

from nbkit.errors import NbkitError
from nbkit.method.truth.contestants import paper, pre_mlp
from nbkit.method.truth.unit import LabeledUnit, Unit
from nbkit.studies.ground_truth import choose_contexts, form_or_meaning, sense_units, train_probes
from nbkit.studies.shared.planted.labeled_contexts import LabeledContexts
from nbkit.studies.shared.planted.probes import Probes
from nbkit.studies.shared.planted.senses import sense_words
from nbkit.studies.shared.planted.token_reads import TokenReads, held_out
from tests.examples.token_reads import labeled_by_hand, reads_by_hand

FORMS = np.array(["run", "light", "mean", "Show", "any", ""], dtype=object)


def labeled_words(*, rare: bool = False) -> LabeledContexts:
    """Tokens 0 to 3 are words that are nouns or verbs, by the draw; "Show" begins with a capital, so it is no form."""
    labeled = labeled_by_hand(n=900, length=7)
    tokens, rng = labeled.contexts.tokens, np.random.default_rng(1)
    sense = np.where(rng.random(tokens.shape) < (0.002 if rare else 0.4), "nn", "vb")
    tag = np.where(tokens < 4, sense, labeled.tag).astype(object)
    return replace(labeled, word=FORMS[tokens], tag=tag)


@pytest.fixture(scope="module")
def reads() -> TokenReads:
    """What is read tells the sense a little, beside the form."""
    labeled = labeled_words()
    made = reads_by_hand(labeled)
    rng = np.random.default_rng(2)
    senses = rng.normal(size=(2, made.read.shape[1])).astype(np.float32) * 0.3
    noun = made.of(labeled.tag) == "nn"
    return replace(made, read=made.read + senses[noun.astype(int)])


@pytest.fixture(scope="module")
def probes(reads: TokenReads) -> Probes:
    tag = reads.of(reads.labeled.tag)
    concepts = {"noun": tag == "nn", "verb": tag == "vb", "other": tag == "in", "boats": reads.token == 0}
    return train_probes(reads, {"words": concepts})


@pytest.fixture(scope="module")
def units(probes: Probes) -> list[LabeledUnit]:
    return sense_units(probes, words=3, each=8, neurons=2)


def test_words_are_those_that_occur_in_both_senses(reads: TokenReads) -> None:
    labeled = reads.labeled
    among = held_out(labeled.contexts.documents)
    found = sense_words(labeled, among, most=3)
    assert set(found) == {"run", "light", "mean"}
    assert list(sense_words(labeled, among, most=2)) == list(found)[:2]
    counts = [min(len(places) for places in senses.values()) for senses in found.values()]
    assert counts == sorted(counts, reverse=True)
    for word, senses in found.items():
        for sense, tag in (("noun", "nn"), ("verb", "vb")):
            slow = {}
            for row in np.flatnonzero(among):
                places = [
                    i
                    for i in range(1, 7)
                    if (labeled.word[row, i], labeled.tag[row, i]) in {(word, "nn"), (word, "vb")}
                ]
                if places and labeled.tag[row, places[0]] == tag:
                    slow[int(row)] = places[0]
            assert dict(senses[sense].tolist()) == slow
    assert not sense_words(labeled_words(rare=True), among, most=3)


def test_examples_are_held_out_one_a_context_and_labeled_by_tag(units: list[LabeledUnit], reads: TokenReads) -> None:
    assert [labeled.difficulty["words"] for labeled in units] == [1.0] * 9 + [2.0] * 6
    held = held_out(reads.document)
    for labeled in units:
        rows = [int(np.flatnonzero((reads.read == vector).all(axis=1))[0]) for vector in labeled.unit.read]
        assert held[rows].all()
        tags = reads.of(reads.labeled.tag)[rows]
        assert tags.tolist() == [("nn", "vb")[label] for label in labeled.labels]
        forms = reads.of(reads.labeled.word)[rows]
        assert len(set(forms)) == labeled.difficulty["words"]
        for form in set(forms):
            mine = np.array(rows)[forms == form]
            assert len(set(reads.context[mine])) == len(mine) <= 16
        assert labeled.unit.text is not None and labeled.unit.text.keys.tolist() == reads.token[rows].tolist()


def test_they_are_read_by_probes_and_by_the_neurons_that_they_move_most(
    units: list[LabeledUnit], probes: Probes
) -> None:
    reads = probes.reads
    background = reads.background.vectors @ reads.neurons.T
    for labeled in units:
        assert (labeled.unit.weights != labeled.other_weights).any()
        reader = labeled.name.split(": ")[1]
        if reader.startswith("probes"):
            np.testing.assert_allclose(labeled.unit.weights, probes.weights[0] + probes.weights[1], rtol=1e-6)
            np.testing.assert_allclose(labeled.other_weights, probes.weights[2] + probes.weights[3], rtol=1e-6)
            continue
        pre = labeled.unit.read @ reads.neurons.T
        moved = (pre.mean(axis=0) - background.mean(axis=0)) / background.std(axis=0)
        number = int(reader.split()[1])
        assert (moved > moved[number]).sum() < 2
        np.testing.assert_array_equal(labeled.unit.weights, reads.neurons[number])
        assert (labeled.other_weights == reads.neurons).all(axis=1).any()


def by_form(unit: Unit) -> Float[np.ndarray, "n any"]:
    assert unit.text is not None
    forms: Float[np.ndarray, "n any"] = np.eye(6)[unit.text.keys]
    return forms


def test_a_space_of_forms_and_a_space_of_senses_are_told_apart(units: list[LabeledUnit]) -> None:
    senses = {
        row.tobytes(): int(sense)
        for labeled in units
        for row, sense in zip(labeled.unit.read, labeled.labels, strict=True)
    }
    spaces = {
        "form": by_form,
        "sense": lambda unit: np.eye(2)[[senses[row.tobytes()] for row in unit.read]],
        "neither": lambda unit: np.ones((len(unit.read), 1)),
        "pre-MLP": pre_mlp,
        "paper's": paper,
        "out": lambda unit: None,
    }
    table = form_or_meaning(spaces, units)
    assert set(table["contestant"]) == {*spaces} - {"out"}
    assert set(table["units"]) == {2, 4}
    mean = table[table["condition"] == "own"].groupby("contestant")["meaning"].mean()
    assert (mean["form"], mean["sense"], mean["neither"]) == (0, 1, 0.5)
    slow = [_slow(labeled) for labeled in units if labeled.difficulty["words"] == 2]
    assert table[table["contestant"] == "pre-MLP"]["meaning"].mean() == pytest.approx(np.mean(slow))
    own, shuffled = (table[(table["contestant"] == "paper's") & (table["condition"] == c)] for c in ("own", "shuffled"))
    assert not np.allclose(own["meaning"], shuffled["meaning"].to_numpy())


def _slow(labeled: LabeledUnit) -> float:
    """The probability that two of one sense are nearer than two of one form, pair by pair."""
    assert labeled.unit.text is not None
    x = labeled.unit.read / np.linalg.norm(labeled.unit.read, axis=1, keepdims=True)
    form, sense, n = labeled.unit.text.keys, labeled.labels, len(x)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    meaning = [1 - x[i] @ x[j] for i, j in pairs if sense[i] == sense[j] and form[i] != form[j]]
    shape = [1 - x[i] @ x[j] for i, j in pairs if sense[i] != sense[j] and form[i] == form[j]]
    return float(np.mean([(a < b) + 0.5 * (a == b) for a in meaning for b in shape]))


def test_what_is_missing_is_told(probes: Probes) -> None:
    with pytest.raises(NbkitError, match="no probe for verb"):
        sense_units(replace(probes, names=("noun", "x", "y", "z")))
    rare = replace(probes, reads=replace(probes.reads, labeled=labeled_words(rare=True)))
    with pytest.raises(NbkitError, match=r"no word occurs 5 times in both senses.*choose_contexts"):
        sense_units(rare)


def test_chosen_contexts_are_of_both_halves_and_hold_what_is_rare() -> None:
    labeled = labeled_words()
    word, tag = labeled.word.copy(), labeled.tag.copy()
    all_held = held_out(labeled.contexts.documents)
    plain = np.arange(900) % 9 > 0  # the words in two senses are in one context of nine alone
    word[plain], tag[plain] = "any", "in"
    word[[7, 450], 3] = "Tuesday"
    labeled = replace(labeled, word=word, tag=tag)
    some = choose_contexts(labeled, n=120, words=2, each=10)
    held = held_out(some.contexts.documents)
    assert held.sum() == 60 == (~held).sum()
    assert (some.word == "Tuesday").sum() == 2
    before, after = sense_words(labeled, all_held, most=2), sense_words(some, held, most=2)
    assert set(before) == set(after)
    for name, senses in before.items():
        for sense, places in senses.items():
            assert len(after[name][sense]) >= min(10, len(places)) >= 5
    assert choose_contexts(labeled, n=120, words=2, each=10).contexts.sha256 == some.contexts.sha256
    assert choose_contexts(labeled, n=120, words=2, each=10, seed=1).contexts.sha256 != some.contexts.sha256
