"""What tables of real neurons say, by hand: in both directions, and where a test could not be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.studies.ground_truth.drawn_neurons import DRAWN_COLUMNS
from nbkit.studies.ground_truth.figures import told_and_changed
from nbkit.studies.ground_truth.prediction_and_cause import (
    FEWEST_NEURONS,
    effects,
    effects_table,
    gains,
    shown_table,
    told,
    told_table,
    where_table,
)

NEURONS = 12


def rows(test: str, groupings: Mapping[str, Mapping[str, float]], clusters: int = 2) -> pd.DataFrame:
    """`NEURONS` neurons whose numbers differ a little; one more that pages show and that was not drawn."""
    found = []
    for number in range(NEURONS + 1):
        for grouping, values in groupings.items():
            for cluster in range(clusters):
                away = 0.01 * (number % 3 - 1)
                found.append(
                    {
                        "test": test,
                        "layer": number % 3,
                        "index": number,
                        "shown": number == NEURONS,
                        "drawn": number < NEURONS,
                        "grouping": grouping,
                        "size": 5 + cluster,
                        "share": 0.2 + 0.4 * cluster,
                    }
                    | {
                        name: value + (0 if name.endswith(("_p", "_nats", "chance")) else away)
                        for name, value in values.items()
                    }
                )
    return pd.DataFrame(found)


def table(own: float = 0.8, random: float = 0.6, zeroed: float = 0.2, other: float = 0.1) -> pd.DataFrame:
    def text(value: float) -> dict[str, float]:
        return {"text": value, "word": value - 0.1, "sentence": 0.45, "chance": 0.4, "held_out": 20, "found": 8}

    def output(value: float) -> dict[str, float]:
        of = {"zeroed": value, "other": other}
        measures = {f"{who}{name}": mine / 2 for who, mine in of.items() for name in ("_probability", "_logarithm")}
        words = {f"{who}_words": mine / 4 for who, mine in of.items()}
        return of | measures | words | {"zeroed_p": 0.01, "other_p": 0.5, "zeroed_nats": 0.002, "other_nats": 0.003}

    both = [
        rows("text", {"own": text(own), "pre_mlp": text(0.9), "shuffled": text(own), "random": text(random)}),
        rows("output", {"own": output(zeroed), "pre_mlp": output(0.15), "shuffled": output(0.3), "word": output(0.2)}),
    ]
    return pd.concat(both, ignore_index=True).reindex(columns=DRAWN_COLUMNS)


def test_clusters_that_are_told() -> None:
    found = told(table())
    assert (found.neurons, found.clusters) == (NEURONS, 2 * NEURONS)
    assert found.auprc.value == pytest.approx(0.8) and found.chance.value == pytest.approx(0.4)
    assert found.gain.value == pytest.approx(0.4 / 0.6) and found.by_word.value == pytest.approx(0.3 / 0.6)
    assert found.above_chance and found.above_random
    assert found.over["random"].value == pytest.approx(0.2 / 0.6)
    assert found.over["pre_mlp"].sign == -1 and found.over["shuffled"].sign == 0


def test_clusters_that_are_not() -> None:
    as_random = told(table(own=0.8, random=0.8))
    assert as_random.above_chance and not as_random.above_random
    by_chance = told(table(own=0.4, random=0.2))
    assert not by_chance.above_chance and by_chance.over["random"].sign == 1 and not by_chance.above_random


def test_a_neurons_gain_is_of_all_its_clusters() -> None:
    two = pd.DataFrame(
        {"layer": 0, "index": 0, "grouping": "own", "text": [0.9, 1.0], "chance": [0.9, 0.5], "drawn": True}
    )
    assert gains(two, "text").loc[(0, 0), "own"] == pytest.approx((0 + 0.5) / (0.1 + 0.5))
    assert np.isnan(gains(two, "text").loc[(0, 0), "random"])


def test_changes_that_are_the_neurons_own() -> None:
    found = effects(table())
    assert (found.neurons, found.clusters, found.unlikely, found.nats) == (NEURONS, 2 * NEURONS, 1, 0.002)
    assert found.contrast.value == pytest.approx(0.2) and found.other.value == pytest.approx(0.1)
    assert found.clusters_own and found.neurons_own and not found.against_clusters
    assert found.over_other.value == pytest.approx(0.1)
    assert found.words_over_other.value == pytest.approx(0.025)
    assert [found.over[each].sign for each in ("pre_mlp", "shuffled", "word")] == [1, -1, 0]


def test_changes_that_are_not() -> None:
    contexts = effects(table(zeroed=0.1, other=0.1))
    assert contexts.clusters_own and not contexts.neurons_own
    none = effects(table(zeroed=0.0, other=0.1))
    assert not none.clusters_own and not none.neurons_own and not none.against_clusters
    assert effects(table(zeroed=-0.1)).against_clusters


def test_few_neurons_carry_no_verdict() -> None:
    few = table()
    few = few[few["index"] < FEWEST_NEURONS - 1]
    found, changed = told(few), effects(few)
    assert found.gain.value == pytest.approx(0.4 / 0.6) and not found.above_chance and not found.above_random
    assert changed.contrast.known and not changed.clusters_own and not changed.neurons_own
    assert f"{changed.over_other:.2f}" == "different by +0.10 from"
    data = told_and_changed(few).data[""]  # type: ignore[attr-defined]
    assert data["mean"].notna().all() and data["low"].isna().all()


def test_tables_and_figure() -> None:
    made = table()
    shown = told_table(made)
    assert shown is not None
    cells = shown.cells
    assert cells.loc["neuron embedding", "corrected"].value == pytest.approx(0.4 / 0.6)
    assert cells.loc["random groups", "by key word"].value == pytest.approx(0.1 / 0.6)
    assert cells["neurons"].tolist() == [NEURONS] * 4
    changed = effects_table(made)
    assert changed is not None
    cells, other = changed.cells, ("neuron embedding, by", "pairs of two key words")
    assert cells.loc[("grouped by", "one key word"), "difference"].value == pytest.approx(0.1)
    assert cells.loc[("grouped by", "neuron embedding"), "p at most .05 / %"] == 100
    assert cells.loc[("neuron embedding, by", "probabilities"), "neuron zeroed"].value == pytest.approx(0.1)
    assert cells.loc[other, "another lowered"].value == pytest.approx(0.025)
    assert cells.loc[other, "difference"].value == pytest.approx(0.025)
    data = told_and_changed(made).data[""]  # type: ignore[attr-defined]
    assert len(data) == 4 * 3 + 4 * 2
    word = data[(data["by"] == "key word") & (data["grouping"] == "pre-MLP vector")].iloc[0]
    assert word["mean"] == pytest.approx(0.4 / 0.6) and word["low"] < word["mean"] < word["high"]
    other = data[(data["by"] == "another lowered") & (data["grouping"] == "one key word")].iloc[0]
    assert other["mean"] == pytest.approx(0.1) and other["neurons"] == NEURONS


def test_where(tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas("llama")
    assert atlas.layers == (0, 1, 2)
    cells = where_table(atlas, table()).cells
    share = cells.loc["clusters of the examples"]
    assert share["clusters told"].tolist() == [NEURONS, NEURONS, 0]
    assert cells.loc["layers", "clusters changed"].tolist() == [2 * NEURONS / 3] * 3
    contrasts = [cells.loc[("layers", f"{third} third"), "contrast"].value for third in ("first", "middle", "last")]
    assert contrasts == pytest.approx([0.19, 0.2, 0.21])
    assert cells.loc[("layers", "middle third"), "minus another's"].value == pytest.approx(0.1)
    shown = shown_table(atlas, table()).cells
    assert shown.index.tolist() == [atlas.neuron(0, NEURONS).name]
    assert shown.iloc[0][["clusters told", "AUPRC", "contrast", "p"]].tolist() == pytest.approx([2, 0.79, 0.19, 0.01])


@pytest.mark.parametrize("left_out", ["text", "output"])
def test_a_test_that_was_not_made(left_out: str, tiny_atlas: Callable[[str], Atlas]) -> None:
    part = table()
    part = part[part["test"] != left_out]
    found, made = (told(part), told_table(part)) if left_out == "text" else (effects(part), effects_table(part))
    assert found.neurons == 0 and made is None
    assert f"{replace(found)}" and str(where_table(tiny_atlas("llama"), part))
    assert str(shown_table(tiny_atlas("llama"), part))
    assert len(told_and_changed(part).axes) == 1
