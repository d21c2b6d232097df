"""The contest's parts are kept, and its findings follow from a leaderboard by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

import nbkit
from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.method.clusters import unrelated_rows
from nbkit.method.truth.contestants import CONTESTANTS
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import Text
from nbkit.models.sign import Sign
from nbkit.studies.ground_truth import contest_parts, sentences
from nbkit.studies.ground_truth import rules as rules_module
from nbkit.studies.ground_truth.contest_parts import ContestSize, contest, contest_units, two_models
from nbkit.studies.ground_truth.figures import leads
from nbkit.studies.ground_truth.findings import clusters_found, compared_table, null_table, standing
from nbkit.studies.ground_truth.goal import GOAL_TASKS, goal_of
from nbkit.studies.ground_truth.rules import rules_on_toys, rules_table
from nbkit.studies.shared import learned
from nbkit.studies.shared.learned import LEARNED

SMALL = Toy(n_features=20, width=10, n_units=8, active=2, n_examples=40, steps=40)

FEW, NOTHING = ContestSize(toys=2, variants=1, networks=0, most=2), ContestSize(toys=0, variants=0, networks=0)


@pytest.fixture
def small_toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Toys of seconds, and a cache folder of one's own."""
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    for module in (contest_parts, rules_module):
        monkeypatch.setattr(module, "PLAIN", (SMALL, replace(SMALL, seed=1)))
        monkeypatch.setattr(module, "LEARNED", {"features": LEARNED["features"]}, raising=False)
    monkeypatch.setattr(contest_parts, "HARDER_AND_EASIER", (replace(SMALL, active=3),))


@pytest.mark.usefixtures("small_toys")
def test_a_part_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest_parts, "LEARNED", {})
    table = contest([], FEW, n_jobs=1, progress=False)
    units = table.drop_duplicates(["task", "unit"])
    assert units[units["task"] == "toy"].groupby(["active", "group"]).size().tolist() == [2, 2, 2]
    assert units[units["task"] == "null"].groupby("group").size().tolist() == [8, 8], "of plain toys alone"
    monkeypatch.setattr(contest_parts, "benchmark", None)
    again = contest([], FEW, n_jobs=1, progress=False)
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.usefixtures("small_toys")
def test_a_new_contestant_is_measured_wherever_it_enters(
    monkeypatch: pytest.MonkeyPatch, tiny_atlas: Callable[[str], Atlas]
) -> None:
    kept: list[str] = []

    def without_measuring(name: str, request: Mapping[str, Any], _: object) -> pd.DataFrame:
        kept.append(f"{name} {json.dumps(request, sort_keys=True, default=str)}")
        return pd.DataFrame()

    def ask() -> list[str]:
        kept.clear()
        contest([(tiny_atlas("gpt2"), [0])], replace(FEW, variants=0, networks=1), n_jobs=1, progress=False)
        return sorted(kept)

    monkeypatch.setattr(contest_parts, "kept_table", without_measuring)
    before, changed = ask(), {"LEARNED": {"toy"}, "in_layer": {"images", "text"}, "SENTENCE": {"text"}}
    assert {name.split()[0] for name in before} == {f"ground-truth-{part}" for part in ("images", "text", "toy")}
    of_layer, new = learned.in_layer, {"new": CONTESTANTS["centered"]}
    for what, value in (
        ("LEARNED", {**learned.LEARNED, **new}),
        ("in_layer", lambda background: {**of_layer(background), **new}),
        ("SENTENCE", "another sentence encoder"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(contest_parts, what, value)
            parts = {name.split()[0].removeprefix("ground-truth-") for name in set(ask()) - set(before)}
        assert parts == changed[what]


@pytest.mark.usefixtures("small_toys")
def test_a_contestant_of_ones_own_gets_the_units_of_the_contest(
    monkeypatch: pytest.MonkeyPatch, tiny_atlas: Callable[[str], Atlas]
) -> None:
    monkeypatch.setattr(contest_parts, "LEARNED", {})
    monkeypatch.setattr(contest_parts, "text_layers", lambda *_: iter([(None, toy_units(replace(SMALL, seed=2))[:2])]))
    table = contest([], FEW, n_jobs=1, progress=False)
    places = [(tiny_atlas("gpt2"), [0])]
    mine = nbkit.benchmark({"mine": CONTESTANTS["centered"]}, contest_units(places, FEW))
    of_text, of_toys = mine[mine["group"] == "toys of seed 2"], mine[mine["group"] != "toys of seed 2"]
    assert len(of_text.drop_duplicates("unit")) == 2
    for own, entered in (("centered", "mine"), ("pre-MLP", "pre-MLP")):
        expected = table[table["contestant"] == own].drop(columns="contestant").reset_index(drop=True)
        found = of_toys[of_toys["contestant"] == entered].drop(columns="contestant").reset_index(drop=True)
        pd.testing.assert_frame_equal(found[expected.columns], expected)


def test_a_layer_that_an_atlas_lacks_is_named(tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas("gpt2")
    with pytest.raises(NbkitError, match="has no layer 99: choose of"):
        contest([(atlas, [0, 99])], NOTHING)
    assert two_models(atlas, [0], "minilm", [], 10) == [(atlas, [0])]
    n = len(atlas.layers)
    assert two_models(atlas, None, "minilm", [], 10) == [(atlas, [atlas.layers[n // 4], atlas.layers[n // 2]])]
    with pytest.raises(NbkitError, match="There is nothing to measure"):
        contest([(atlas, [])], NOTHING)


def test_an_atlas_of_other_units_is_refused(tmp_path: Path, signed_atlas: Callable[[str, Sign], Atlas]) -> None:
    rng = np.random.default_rng(0)
    texts = [f"input {i}" for i in range(20)]
    arrays = nbkit.atlas_from_arrays(rng.random((20, 4)), np.eye(4), texts, tmp_path / "atlas", progress=False)
    for atlas, told in (
        (arrays, "not of neurons alone"),
        (signed_atlas("llama", "negative"), "of negative activations"),
    ):
        with pytest.raises(NbkitError, match=told):
            contest([(atlas, [0])], NOTHING)


@pytest.fixture
def table() -> pd.DataFrame:
    """Four networks of two units, in two tasks; the paper's space is above its control and below the vector in toys,
    the features above both there and below the vector in concepts."""
    auc = {
        "toy": {
            "pre-MLP": (0.8, 0.8),
            "centered": (0.85, 0.85),
            "paper's": (0.6, 0.5),
            "features": (0.9, 0.6),
            "centered + features": (0.95, 0.7),
        },
        "concept": {
            "pre-MLP": (0.7, 0.7),
            "centered": (0.7, 0.7),
            "paper's": (0.7, 0.7),
            "features": (0.6, 0.5),
            "centered + features": (0.7, 0.6),
        },
    }
    rows = [
        {
            "version": 1,
            "task": task,
            "group": f"{task} {group}",
            "unit": f"unit {group} {unit}",
            "contestant": name,
            "condition": condition,
            "measure": measure,
            "value": value + 0.01 * unit if measure == "auc" else 2.0 + (name == "features" and measure == "clusters"),
            "examples": 10,
        }
        for task, spaces in auc.items()
        for name, values in spaces.items()
        for condition, value in zip(("own", "shuffled"), values, strict=True)
        for group in range(4)
        for unit in range(2)
        for measure in ("auc", "clusters", "behaviors")
    ]
    return pd.DataFrame(rows)


def test_what_a_leaderboard_says(table: pd.DataFrame) -> None:
    board, found = standing(pd.concat([table, table.assign(task="null")]))
    assert (found.tasks, found.units) == (2, 8)
    features, joint = found.features, found.joint
    assert features.won == ("toy networks",) and features.below == ("concepts",)
    assert joint.won == ("toy networks",) and joint.above == ("toy networks",) and joint.below == ()
    assert joint.weights_tell == ("toy networks", "concepts")
    assert found.paper.won == () and found.paper.below == ("toy networks",)
    assert found.paper.weights_tell == ("toy networks",)
    assert found.best == ("centered + features (toy networks)", "pre-MLP (concepts)")
    on = joint.on[0]
    assert (on.units, on.groups) == (8, 4)
    assert on.over_baseline.value == pytest.approx(0.15) and on.over_control.value == pytest.approx(0.25)
    compared = compared_table([features]).written
    assert compared.loc[("features", "concepts"), "over the pre-MLP vector"].startswith("−0.10")
    shown = leads(board).data[""]  # type: ignore[attr-defined]
    assert set(shown["contestant"]) == {"centered", "paper's", "features", "centered + features"}
    assert found.without_unit == ()
    numbers = clusters_found(table, ["features"]).cells
    assert numbers.loc["concepts"].to_dict() == {"true": 2.0, "features": 3.0}


def test_what_knows_the_text_alone_stands_beside_where_there_is_text(table: pd.DataFrame) -> None:
    concepts = table[(table["task"] == "concept") & (table["contestant"] == "pre-MLP")]
    _, found = standing(pd.concat([table, concepts.assign(contestant="key token", value=concepts["value"] - 0.25)]))
    [key_token] = found.without_unit
    compared = compared_table([key_token]).cells
    assert [task for _, task in compared.index] == ["concepts"]
    assert compared["over the pre-MLP vector"].iloc[0].value == pytest.approx(-0.25)
    assert compared["over its control"].iloc[0].value == 0
    numbers = clusters_found(pd.concat([table, concepts.assign(contestant="key token")]), ["pre-MLP", "key token"])
    assert numbers.written["key token"].to_dict() == {"toy networks": "–", "concepts": "2.0"}


def board_of(leads: dict[str, tuple[tuple[float, float], ...]], half: float = 0.1) -> pd.DataFrame:
    """The pair AUC of spaces on the tasks of the goal: their leads over the vector and over their control."""
    rows = [
        {"task": task, "measure": "auc", "contestant": name, "units": 2, "groups": 2}
        | {
            f"over_{of}{end}": lead + at
            for of, lead in zip(("baseline", "control"), pair, strict=True)
            for end, at in ends
        }
        for ends in [(("", 0.0), ("_low", -half), ("_high", half))]
        for name, pairs in leads.items()
        for task, pair in zip(GOAL_TASKS, pairs, strict=False)
    ]
    return pd.DataFrame(rows)


WON = (0.3, 0.2)


def test_one_space_meets_the_goal_or_the_nearest_is_told_with_what_it_misses() -> None:
    leads = {
        "near": (WON, WON, (0.05, 0.3), (-0.2, 0.0), WON),
        "near too": (WON, WON, (0.05, 0.3), (-0.3, 0.0), WON),
        "far": (WON, WON, (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
        "true features": (WON,) * 5,
    }
    found = goal_of(board_of(leads))
    assert (found.met, found.best, found.unmeasured) == ((), "near", ())
    assert found.reached == ("toy networks", "merged neurons", "merged image units")
    assert [(lead.task, f"{lead.by:+.2f}") for lead in found.missed_vector] == [
        ("merged probes", "+0.05 (−0.05 to +0.15)"),
        ("concepts", "−0.20 (−0.30 to −0.10)"),
    ]
    assert [(lead.task, f"{lead.by:+.2f}") for lead in found.missed_control] == [
        ("concepts", "0.00 (−0.10 to +0.10)"),
    ]
    met = goal_of(board_of({**leads, "mine": (WON,) * 5}))
    assert (met.met, met.best, met.missed_vector, met.missed_control) == (("mine",), "mine", (), ())
    assert met.reached == met.tasks


def test_a_task_that_was_not_measured_is_not_won() -> None:
    few = goal_of(board_of({"mine": (WON, WON), "short": (WON,)}))
    assert few.met == () and few.best == "mine" and few.reached == ("toy networks", "merged neurons")
    assert few.unmeasured == ("merged probes", "concepts", "merged image units")
    alone = goal_of(board_of({"mine": (WON,) * 5, "short": (WON,)}, half=np.nan))
    assert alone.met == () and len(alone.missed_vector) == len(alone.missed_control) == 5
    sat_out = goal_of(board_of({"short": (WON,), "none": ((0.0, 0.0),) * 5}))
    assert sat_out.best == "short" and [f"{lead.by:+.2f}" for lead in sat_out.missed_control] == ["–"] * 4


def test_one_behavior_that_falls_apart_is_counted(table: pd.DataFrame) -> None:
    null = table[table["task"] == "toy"].assign(task="null")
    whole = null[(null["measure"] == "clusters")].assign(value=1.0, examples=30, group="more")
    shown = null_table(pd.concat([null, whole]), ["features"]).cells.loc["features"]
    assert shown["10 examples"].value == 1 and shown["30 examples"].value == 0


@pytest.mark.usefixtures("small_toys")
def test_every_rule_on_every_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        rules_module, "RULE_SPACES", {"pre-MLP": CONTESTANTS["pre-MLP"], "true": CONTESTANTS["true features"]}
    )
    measured = rules_on_toys(2, 2, n_jobs=1, progress=False)
    assert measured[measured["task"] == "null"]["ari"].isna().all()
    assert measured.groupby(["space", "rule"]).size().nunique() == 1
    first = toy_units(SMALL)[0]
    unit = first.take(~first.ambiguous)
    chance = measured[(measured["rule"] == rules_module.BY_CHANCE) & (measured["unit"] == unit.name)]
    for space, embed in rules_module.RULE_SPACES.items():
        vectors = unit.unit.background.vectors
        some = embed(replace(unit.unit, read=vectors[unrelated_rows(len(vectors))]))
        found = nbkit.feature_clusters(embed(unit.unit), nbkit.chance_cut(some)).labels
        [ari] = chance[(chance["space"] == space) & (chance["group"] == unit.group)]["ari"]
        assert ari == pytest.approx(adjusted_rand_score(unit.labels, found))
    shown = rules_table(measured).cells
    assert shown.loc[("ARI on toys", "HDBSCAN"), "true"].value > 0.8
    assert shown.loc[("clusters of one behavior", "average linkage by silhouette"), "pre-MLP"] >= 2


def test_a_sentence_encoder_reads_the_text_alone() -> None:
    rng = np.random.default_rng(0)
    texts = (
        "The cat sat on the mat.",
        "A cat lay on a rug.",
        "Interest rates rose in March.",
        "The cat sat on the mat.",
    )
    unit = replace(
        toy_units(SMALL)[0].unit,
        features=None,
        read=rng.normal(size=(4, 10)),
        text=Text(np.arange(4), texts),
    )
    encoder = sentences.SentenceEncoder()
    found = encoder(unit)
    assert found is not None and len(encoder.known) == 3 and found.shape == (4, 384)
    lengths = np.linalg.norm(found, axis=1)
    cosines = found @ found.T / lengths / lengths[:, None]
    assert cosines[0, 3] == pytest.approx(1, abs=1e-5) and cosines[0, 1] > 0.5 > cosines[0, 2]
    assert encoder(replace(unit, text=None)) is None
    alone = sentences.sentence_embeddings(texts[::-1])
    np.testing.assert_allclose(alone[::-1], found, atol=1e-5)
