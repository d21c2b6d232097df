"""Where to cut: units whose behaviors are told by one cut and not by another, and what a table says by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.method.clusters import chance_cut
from nbkit.method.truth.contestants import CONTESTANTS
from nbkit.method.truth.toys import Toy
from nbkit.method.truth.unit import Background, LabeledUnit, Unit
from nbkit.models.sign import Sign
from nbkit.studies.ground_truth import tree_cuts, two_models, where_to_cut
from nbkit.studies.ground_truth.cut_findings import cuts, cuts_table, cutting, nearer_table, one_behavior_table
from nbkit.studies.ground_truth.tree_cuts import (
    CHANCE,
    CUT_COLUMNS,
    CUT_SPACES,
    CUTS,
    FIXED,
    SILHOUETTE,
    chance_cut_of,
    cuts_of,
)

SMALL = Toy(n_features=20, width=10, n_units=8, active=2, n_examples=40, steps=40)


@pytest.fixture
def loose() -> LabeledUnit:
    """Three behaviors of ten examples, each at distances of about 0.7 from its own and 1 from the others, in a layer
    whose vectors point anywhere; the third has one ambiguous example."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 10)
    read = 1.2 * np.eye(60)[labels] * 60**0.5 / 2 + rng.normal(size=(30, 60))
    weights = np.ones(60)
    unit = Unit(read, weights, Background(rng.normal(size=(500, 60))))
    ambiguous = np.arange(30) == 29
    return LabeledUnit(unit, weights, labels, ambiguous, "loose", "a layer", "merged")


def test_chance_tells_where_a_fixed_cut_does_not(loose: LabeledUnit) -> None:
    null = replace(loose, labels=np.arange(30) % 2, name="null", task="null", null=True)
    found = cuts_of([loose, null])
    assert tuple(found.columns) == CUT_COLUMNS
    assert len(found) == 2 * len(CUT_SPACES) * len(CUTS)
    assert set(found["examples"]) == {29}
    alone = found[found["task"] == "null"]
    assert alone["ari"].isna().all() and set(alone["behaviors"]) == {1}
    of = found[(found["task"] == "merged") & (found["space"] == "pre-MLP")].set_index("rule")
    assert of.loc[CHANCE, "ari"] == 1 and of.loc[CHANCE, "clusters"] == of.loc[CHANCE, "behaviors"] == 3
    assert of.loc[FIXED, "ari"] < 0.5 and of.loc[FIXED, "clusters"] > 10 and of.loc[FIXED, "cut"] == 0.5
    assert of.loc[SILHOUETTE, "ari"] == 1 and np.isnan(of.loc[SILHOUETTE, "cut"])


def test_chance_is_of_the_space_with_the_unit_s_weights(loose: LabeledUnit) -> None:
    weights = np.where(np.arange(60) < 3, 10.0, 0.1)
    unit = replace(loose.unit, weights=weights)
    vectors = unit.background.vectors[np.linspace(0, 499, 400).astype(int)]
    assert chance_cut_of(unit, CONTESTANTS["paper's"]) == chance_cut(vectors * weights)
    assert chance_cut_of(unit, CONTESTANTS["paper's"]) < 0.5 < chance_cut_of(unit, CONTESTANTS["pre-MLP"])


@pytest.fixture
def table() -> pd.DataFrame:
    """Four layers of two units in two tasks, and units of one behavior. By chance all spaces gain 0.2 in toys and lose
    0.1 in concepts; by silhouette they are as at 0.5; the paper's product is 0.3 below the others at 0.5."""
    gain = {"toy": {FIXED: 0.0, CHANCE: 0.2, SILHOUETTE: 0.0}, "concept": {FIXED: 0.0, CHANCE: -0.1, SILHOUETTE: 0.0}}
    known = [
        (task, f"{task} {group} {unit}", f"{task} {group}", 30, 3, space, rule, 0.8, 3.0, value)
        for task, by_rule in gain.items()
        for group in range(4)
        for unit in range(2)
        for space in CUT_SPACES
        for rule, above in by_rule.items()
        for value in (0.5 + above - 0.3 * (space == "paper's") + 0.01 * group * unit,)
    ]
    nulls = [
        ("null", f"null {group} {size}", f"toy {group}", size, 1, space, rule, 0.8, 1.0 + (rule != CHANCE), np.nan)
        for group in range(4)
        for size in (10, 30)
        for space in CUT_SPACES
        for rule in CUTS
    ]
    return pd.DataFrame(known + nulls, columns=CUT_COLUMNS)


def test_what_cuts_say(table: pd.DataFrame) -> None:
    found = cutting(table)
    assert found.tasks == 2
    for space in CUT_SPACES:
        over = found.by_chance(space, space)
        assert over.above == ("toy networks",) and over.below == ("concepts",)
    assert found.by_chance("centered", "centered").by_task["toy networks"].value == pytest.approx(0.2)
    assert found.by_chance("centered", "centered", SILHOUETTE).by_task["concepts"].value == pytest.approx(-0.1)
    assert found.by_chance("centered", "pre-MLP", CHANCE).by_task["concepts"].value == pytest.approx(0)
    over = found.by_chance("centered", "paper's")
    assert over.above == ("toy networks", "concepts")
    assert over.by_task["concepts"].value == pytest.approx(0.2)
    nearer = nearer_table(found, [("centered", "centered", FIXED), ("centered", "paper's", FIXED)]).cells
    assert nearer.loc[("centered by chance", "than centered at 0.5")].tolist() == ["toy networks", "concepts"]
    assert nearer.loc[("centered by chance", "than paper's at 0.5")].tolist() == ["toy networks, concepts", "–"]
    row = cuts_table(table, ["centered"]).cells.loc["centered"].loc["concepts"].to_dict()
    assert row[CHANCE].value == pytest.approx(0.4 + 0.0075)
    assert (row["groups"], row["cut, median"]) == (4, 0.8)
    one = one_behavior_table(table).cells.loc["centered"]
    assert one.loc[CHANCE, "30 examples"].value == 0 and one.loc[FIXED, "10 examples"].value == 1
    drawn = cuts(table).data[""]  # type: ignore[attr-defined]
    assert len(drawn) == 2 * len(CUT_SPACES) * len(CUTS)


def test_a_part_is_measured_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(tree_cuts, "Toy", lambda seed: replace(SMALL, seed=seed))
    found = where_to_cut([], toys=2, networks=0, most=2, n_jobs=1, progress=False)
    units = found.drop_duplicates(["task", "unit"])
    toys = units[units["task"] == "toy"].groupby("group").size()
    assert toys.to_dict() == {"toys of seed 100": 2, "toys of seed 101": 2}
    assert set(units["task"]) == {"toy", "null"}
    assert cutting(found).tasks == 1 and set(cuts_table(found, list(CUT_SPACES)).cells["groups"]) == {2}
    monkeypatch.setattr(tree_cuts, "cuts_of", None)
    pd.testing.assert_frame_equal(found, where_to_cut([], toys=2, networks=0, most=2, n_jobs=1, progress=False))


def test_layers_at_shares_of_the_depth(tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas("gpt2")
    found = two_models(atlas, None, "minilm", [], 10, at=(0, 0.99))
    assert found == [(atlas, [atlas.layers[0], atlas.layers[-1]])]


def test_what_cannot_be_cut_is_refused(
    tiny_atlas: Callable[[str], Atlas], signed_atlas: Callable[[str, Sign], Atlas]
) -> None:
    with pytest.raises(NbkitError, match="has no layer 99: choose of"):
        where_to_cut([(tiny_atlas("gpt2"), [99])], toys=0, networks=0)
    with pytest.raises(NbkitError, match="of negative activations"):
        where_to_cut([(signed_atlas("llama", "negative"), [0])], toys=0, networks=0)
    with pytest.raises(NbkitError, match="There is nothing to measure"):
        where_to_cut([], toys=0, networks=0)
