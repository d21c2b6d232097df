"""What `real_neurons` supports: are clusters told from text, and does zeroing the neuron change each in its own way?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.models.site import CONTROLS
from nbkit.studies.ground_truth.own_effects import CHANGED, OUTPUT_SUFFIXES, WORD
from nbkit.studies.ground_truth.told_from_text import OWN, RANDOM, SCORES
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.table import BookTable

TOLD_TITLES: Mapping[str, str] = {
    OWN: "neuron embedding",
    **{kind: EMBEDDING_NAMES[kind] for kind in CONTROLS},
    RANDOM: "random groups",
    WORD: "one key word",
}
"""Groupings, in the order in which they are shown."""
ZEROED, OTHER = CHANGED
UNLIKELY = 0.05
NEURON = ["layer", "index"]
SIZE_THIRDS = {"a third or less": (0, 1 / 3), "up to two thirds": (1 / 3, 2 / 3), "more": (2 / 3, 1)}
THIRDS = ("first", "middle", "last")


FEWEST_NEURONS = 10
"""Neurons that an interval is over, at least: resampled, fewer agree too well, and one with itself."""
E = TypeVar("E", bound=Estimate)


@dataclass(frozen=True)
class Told:
    """How well clusters are told from text: means over the neurons drawn, of each neuron's mean over clusters."""

    neurons: int
    clusters: int
    auprc: Estimate
    chance: Estimate
    """AUPRC of an order by chance."""
    gain: Estimate
    """AUPRC corrected for chance, see `gains`."""
    by_word: Estimate
    """`gain` by the key word alone."""
    by_sentence: Estimate
    over: Mapping[str, Difference]
    """`gain` over that of another grouping: `random`, `pre_mlp`, `shuffled`."""

    @property
    def above_chance(self) -> bool:
        """Whether the whole interval of `gain` is above zero."""
        return self.gain.sign > 0

    @property
    def above_random(self) -> bool:
        """Whether it is that, and above random groups as well."""
        return self.above_chance and self.over[RANDOM].sign > 0


@dataclass(frozen=True)
class Effects:
    """How far zeroing a neuron changes the output in a way that is a cluster's own, over the neurons drawn."""

    neurons: int
    clusters: int
    contrast: Estimate
    """Random groups have 0."""
    unlikely: float
    """Share of neurons whose contrast at most 5% of permutations reach."""
    other: Estimate
    """The contrast when another neuron is lowered instead."""
    over_other: Difference
    words: Estimate
    """Of pairs of two key words."""
    words_over_other: Difference
    over: Mapping[str, Difference]
    """The contrast over that of another grouping: `pre_mlp`, `shuffled`, `word`."""
    nats: float
    """Kullback-Leibler divergence that zeroing makes in the median neuron."""

    @property
    def clusters_own(self) -> bool:
        """Whether examples of a cluster are changed more alike than random groups."""
        return self.contrast.sign > 0

    @property
    def against_clusters(self) -> bool:
        """Whether they are changed less alike."""
        return self.contrast.sign < 0

    @property
    def neurons_own(self) -> bool:
        """Whether they are so by this neuron more than by another."""
        return self.over_other.sign > 0


def told(table: pd.DataFrame, seed: int = 0) -> Told:
    """What the rows of `told_from_text` say; of no neuron where no documents could be held out.

    Args:
        table: of `real_neurons`.
        seed: of the bootstrap.
    """
    rows = of_test(table, "text")
    own = rows[rows["grouping"] == OWN]
    means, gain = own.groupby(NEURON)[["text", "chance"]].mean(), {each: gains(rows, each) for each in SCORES}
    whole = gain["text"]
    return Told(
        neurons=len(means),
        clusters=len(own),
        auprc=over_neurons(Estimate, means["text"], seed),
        chance=over_neurons(Estimate, means["chance"], seed),
        gain=over_neurons(Estimate, whole[OWN], seed),
        by_word=over_neurons(Estimate, gain["word"][OWN], seed),
        by_sentence=over_neurons(Estimate, gain["sentence"][OWN], seed),
        over={each: over_neurons(Difference, whole[OWN] - whole[each], seed) for each in (RANDOM, *CONTROLS)},
    )


def gains(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """AUPRC corrected for chance, as the adjusted Rand index is: what it is above chance, summed over a neuron's
    clusters, by what it could be; 0 by chance, 1 if every cluster is told. A cluster of most examples has a high AUPRC
    by chance and little to gain, so that groupings of other sizes can't be compared without.

    Returns:
        A row a neuron, a column a grouping; NaN where it has no cluster to tell.
    """
    parts = rows.assign(above=rows[score] - rows["chance"], possible=1 - rows["chance"])
    sums = parts.groupby(["grouping", *NEURON])[["above", "possible"]].sum()
    wide: pd.DataFrame = (sums["above"] / sums["possible"]).unstack("grouping")
    return wide.reindex(columns=[OWN, *CONTROLS, RANDOM])


def effects(table: pd.DataFrame, seed: int = 0) -> Effects:
    """What the rows of `own_effects` say; of no neuron if the model says no next token.

    Args:
        table: of `real_neurons`.
        seed: of the bootstrap.
    """
    rows = of_test(table, "output")
    own, of = rows[rows["grouping"] == OWN], contrasts(rows)
    neurons = own.groupby(NEURON)[[f"{ZEROED}_p", f"{ZEROED}_nats"]].first()
    zeroed = of[ZEROED]

    return Effects(
        neurons=len(neurons),
        clusters=len(own),
        contrast=over_neurons(Estimate, zeroed[OWN], seed),
        unlikely=float((neurons[f"{ZEROED}_p"] <= UNLIKELY).mean()),
        other=over_neurons(Estimate, of[OTHER][OWN], seed),
        over_other=over_neurons(Difference, zeroed[OWN] - of[OTHER][OWN], seed),
        words=over_neurons(Estimate, of[f"{ZEROED}_words"][OWN], seed),
        words_over_other=over_neurons(Difference, of[f"{ZEROED}_words"][OWN] - of[f"{OTHER}_words"][OWN], seed),
        over={each: over_neurons(Difference, zeroed[OWN] - zeroed[each], seed) for each in (*CONTROLS, WORD)},
        nats=float(neurons[f"{ZEROED}_nats"].median()),
    )


def over_neurons(kind: type[E], values: pd.Series, seed: int) -> E:
    """The mean over neurons with its 95% bootstrap interval; without one of fewer than `FEWEST_NEURONS`."""
    found = kind.over_units(values, seed)
    return found if values.count() >= FEWEST_NEURONS else kind(found.value, np.nan, np.nan)


def of_test(table: pd.DataFrame, test: str) -> pd.DataFrame:
    """The rows of a test, `text` or `output`, over the neurons that were drawn."""
    return table[(table["test"] == test) & table["drawn"]]


def contrasts(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By who is changed and by measure, the mean over a neuron's clusters: a row a neuron, a column a grouping."""
    names = [who + of for who in CHANGED for of in (*OUTPUT_SUFFIXES, "_words")]
    means = rows.groupby(["grouping", *NEURON])[names].mean()
    return {name: means[name].unstack("grouping").reindex(columns=[OWN, *CONTROLS, WORD]) for name in names}


def told_table(table: pd.DataFrame, seed: int = 0) -> BookTable | None:
    """AUPRC by grouping: as it is, by chance, and corrected for chance by text, key word and sentence; None without
    rows."""
    rows = of_test(table, "text")
    if rows.empty:
        return None
    means = rows.groupby(["grouping", *NEURON])[["text", "chance"]].mean()
    gain = {score: gains(rows, score) for score in SCORES}
    cells = {
        TOLD_TITLES[grouping]: {
            "AUPRC": over_neurons(Estimate, means["text"][grouping], seed),
            "by chance": over_neurons(Estimate, means["chance"][grouping], seed),
            "corrected": over_neurons(Estimate, gain["text"][grouping], seed),
            "by key word": over_neurons(Estimate, gain["word"][grouping], seed),
            "by sentence": over_neurons(Estimate, gain["sentence"][grouping], seed),
            "neurons": int(gain["text"][grouping].notna().sum()),
        }
        for grouping in (OWN, *CONTROLS, RANDOM)
        if grouping in means.index
    }
    return BookTable("told-from-text", pd.DataFrame.from_dict(cells, orient="index"), {"neurons": 0}, as_half=True)


def effects_table(table: pd.DataFrame, seed: int = 0) -> BookTable | None:
    """Contrasts by grouping and, for the neuron's own clusters, by other measures of what is changed; None without
    rows."""
    rows = of_test(table, "output")
    if rows.empty:
        return None
    of = contrasts(rows)
    p = rows.groupby(["grouping", *NEURON])[f"{ZEROED}_p"].first()

    def row(grouping: str, measure: str = "") -> dict[str, object]:
        zeroed, other = (of[who + measure][grouping] for who in CHANGED)
        return {
            "neuron zeroed": over_neurons(Difference, zeroed, seed),
            "another lowered": over_neurons(Difference, other, seed),
            "difference": over_neurons(Difference, zeroed - other, seed),
            "neurons": int(zeroed.notna().sum()),
        }

    cells: dict[tuple[str, str], dict[str, object]] = {}
    for grouping in (OWN, *CONTROLS, WORD):
        if grouping in p.index:
            unlikely = 100 * float((p[grouping] <= UNLIKELY).mean())
            cells["grouped by", TOLD_TITLES[grouping]] = row(grouping) | {"p at most .05 / %": unlikely}
    cells["neuron embedding, by", "pairs of two key words"] = row(OWN, "_words")
    cells["neuron embedding, by", "probabilities"] = row(OWN, "_probability")
    cells["neuron embedding, by", "logarithms of probabilities"] = row(OWN, "_logarithm")
    frame = pd.DataFrame.from_dict(cells, orient="index")
    return BookTable("own-effects", frame, {"neurons": 0, "p at most .05 / %": 0})


def where_table(atlas: Atlas, table: pd.DataFrame, seed: int = 0) -> BookTable:
    """The neuron's own clusters by the share of its examples that they hold, and by the layer's depth."""
    own = table[(table["grouping"] == OWN) & table["drawn"]]
    depth = (len(THIRDS) * np.searchsorted(atlas.layers, own["layer"])) // len(atlas.layers)
    parts = {
        ("clusters of the examples", name): own[(own["share"] > low) & (own["share"] <= high)]
        for name, (low, high) in SIZE_THIRDS.items()
    } | {("layers", f"{name} third"): own[depth == third] for third, name in enumerate(THIRDS)}
    cells = {}
    for name, part in parts.items():
        text, output = (part[part["test"] == test] for test in ("text", "output"))
        gain, contrast = gains(text, "text")[OWN], output.groupby(NEURON)[list(CHANGED)].mean()
        cells[name] = {
            "AUPRC, corrected": over_neurons(Estimate, gain, seed),
            "clusters told": len(text),
            "contrast": over_neurons(Difference, contrast[ZEROED], seed),
            "minus another's": over_neurons(Difference, contrast[ZEROED] - contrast[OTHER], seed),
            "clusters changed": len(output),
        }
    frame = pd.DataFrame.from_dict(cells, orient="index")
    return BookTable("where", frame, {"clusters told": 0, "clusters changed": 0})


def shown_table(atlas: Atlas, table: pd.DataFrame) -> BookTable:
    """The neurons that the pages show, those with enough examples and two clusters."""
    shown = table[(table["grouping"] == OWN) & table["shown"]]
    cells = {}
    for layer, index in shown[NEURON].drop_duplicates().itertuples(index=False):
        rows = shown[(shown["layer"] == layer) & (shown["index"] == index)]
        text, output = (rows[rows["test"] == test] for test in ("text", "output"))
        cells[atlas.neuron(layer, index).name] = {
            "clusters told": len(text),
            "AUPRC": text["text"].mean(),
            "by chance": text["chance"].mean(),
            "clusters changed": len(output),
            "contrast": output[ZEROED].mean(),
            "another lowered": output[OTHER].mean(),
            "p": output[f"{ZEROED}_p"].mean(),
        }
    frame = pd.DataFrame.from_dict(cells, orient="index")
    return BookTable("shown-neurons", frame, {"clusters told": 0, "clusters changed": 0, "p": 3})
