"""The study of dictionaries at stages of their training, and clusters that name their features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbkit.errors import NbkitError
from nbkit.figures.style import BookFigure
from nbkit.method.truth.contestants import CONTESTANTS
from nbkit.method.truth.recovery import recovery
from nbkit.method.truth.toys import Toy
from nbkit.method.truth.unit import Background, LabeledUnit, Unit
from nbkit.studies.better_basis import found_in, recovered, stages_table
from nbkit.studies.better_basis.dictionary_quality import of_toy
from nbkit.studies.better_basis.findings import AtStage, stages, turns
from nbkit.studies.better_basis.stages import PRE_MLP, TRUE, clear_units, measured, stages_of
from nbkit.studies.better_basis.toy_unit import chosen, one_unit
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.learned import FEATURES, JOINT

TOY = Toy(n_features=40, width=12, n_units=12, active=2, n_examples=60, steps=150)
EPOCHS = (0, 2)


@pytest.fixture(scope="module", autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Tables of these tests are kept in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def table(kept: object) -> pd.DataFrame:
    return of_toy(TOY, 2, EPOCHS, (24, 8))


def test_a_row_for_each_unit_space_condition_and_stage(table: pd.DataFrame) -> None:
    assert len(table) == 2 * 2 * (2 + 2 * 2 * 2)
    found = set(table[["space", "latents", "epochs"]].itertuples(index=False, name=None))
    learned = {(space, latents, epochs) for space in (FEATURES, JOINT) for latents in (8, 24) for epochs in EPOCHS}
    assert found == learned | {(PRE_MLP, 0, 0), (TRUE, 0, 0)}
    left = table.groupby(["latents", "epochs"])["unexplained"].first()
    assert left[24, 2] < left[24, 0] and left[24, 2] < left[8, 2] and np.isnan(left[0, 0])


def test_numbers_are_those_of_the_benchmark(table: pd.DataFrame) -> None:
    labeled = clear_units(TOY)[0]
    for space in (PRE_MLP, TRUE):
        embeddings = CONTESTANTS[space](labeled.unit)
        assert embeddings is not None
        reference = recovery(embeddings, labeled.labels)
        mine = table[(table["unit"] == labeled.name) & (table["space"] == space) & (table["condition"] == "own")]
        assert mine[["auc", "ari"]].to_numpy().tolist() == [[reference.auc, reference.ari]]
        assert measured(embeddings, labeled.labels).clusters == reference.clusters


def test_a_table_is_made_once(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbkit.studies.better_basis.dictionary_quality.clear_units", None)
    pd.testing.assert_frame_equal(of_toy(TOY, 2, EPOCHS, (24, 8)), table)


def test_an_untrained_stage_is_the_start_and_has_no_training() -> None:
    background = Background(np.random.default_rng(0).normal(size=(600, 6)))
    start, trained = stages_of(background, (0, 3), 12)
    assert (start.epochs, trained.epochs, start.latents) == (0, 3, 12)
    assert trained.unexplained < start.unexplained


def unit_of(*sizes: int, name: str = "a unit") -> LabeledUnit:
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)) * 3, sizes))
    read = np.random.default_rng(2).normal(size=(len(labels), 4))
    unit = Unit(read, read[0], Background(read))
    return LabeledUnit(unit, read[1], labels, labels < 0, name, "a group", "a task")


def test_the_unit_is_the_first_by_the_rule_in_order_of_behavior() -> None:
    units = [unit_of(20, 20), unit_of(7, 7, 7, 7, 7), unit_of(8, 4, 20, 5, 8, name="it"), unit_of(10, 10, 10, 10, 10)]
    unit = chosen(units)
    assert unit.name == "it"
    assert unit.labels.tolist() == [6] * 20 + [0] * 8 + [12] * 8 + [9] * 5 + [3] * 4
    read = {tuple(row): int(label) for row, label in zip(units[2].unit.read, units[2].labels, strict=True)}
    assert [read[tuple(row)] for row in unit.unit.read] == unit.labels.tolist()
    with pytest.raises(NbkitError, match="No unit has 5 to 8 behaviors and 40 clear examples"):
        chosen(units[:2])


def test_one_unit_has_each_space_at_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = unit_of(12, 9, 9, 9, 9)
    monkeypatch.setattr("nbkit.studies.better_basis.toy_unit.clear_units", lambda _: [toy])
    monkeypatch.setattr("nbkit.studies.better_basis.toy_unit.TRUE", "centered")  # this one has no known features
    unit = one_unit(TOY, EPOCHS)
    assert (unit.name, unit.behaviors, len(unit.labels)) == ("a unit", 5, 48)
    assert unit.table["space"].tolist() == [PRE_MLP, "paper's", "centered", *[FEATURES, JOINT] * 2]
    distances = measured(chosen([toy]).unit.read, unit.labels).distances[np.triu_indices(48, 1)]
    np.testing.assert_allclose(unit.table["distances"].iloc[0], distances, rtol=1e-6)


def made_up(wins: tuple[float, ...], toys: int = 3) -> pd.DataFrame:
    """A table in which the spaces are above the pre-MLP vector by so much at each stage, and by .05 more above their
    control if they are above."""
    rows = []
    for toy in range(toys):
        base = 0.5 + 0.01 * toy
        about = {"group": f"toy {toy}", "unit": f"unit {toy}", "latents": 0, "epochs": 0, "unexplained": np.nan}
        for condition in ("own", "shuffled"):
            for space, value in ((PRE_MLP, base), (TRUE, 1.0)):
                rows.append({**about, "space": space, "condition": condition, "auc": value, "ari": value})
            for place, over in enumerate(wins):
                value = base + (over if condition == "own" else -0.05) + 0.001 * toy
                stage = {**about, "latents": 24, "epochs": 2**place, "unexplained": 0.8 / 2**place}
                rows += [
                    {**stage, "space": space, "condition": condition, "auc": value, "ari": value}
                    for space in (FEATURES, JOINT)
                ]
    return pd.DataFrame(rows)


def test_the_turn_is_the_first_stage_from_which_on_all_win() -> None:
    found = found_in(made_up((-0.2, 0.1, -0.1, 0.2, 0.3)))
    [turn] = found.joint.turn
    assert turn.measure == "ARI at 0.5"
    assert [turn.loses_at, turn.wins_at] == pytest.approx([20, 10])
    assert found.joint_auc.turn[0].measure == "pair AUC"
    assert found.features.best.epochs == 16 and found.features.best.over_pre_mlp.value == pytest.approx(0.301)
    assert found.features.best.over_control.value == pytest.approx(0.35)
    assert (found.toys, found.units, found.several_toys, found.narrow) == (3, 3, True, ())
    assert [found.pre_mlp.value, found.true.value] == pytest.approx([0.51, 1])


def test_there_is_no_turn_without_a_loss_a_win_or_an_interval() -> None:
    assert found_in(made_up((-0.2, 0.2, -0.1))).joint.turn == ()
    assert found_in(made_up((0.2, 0.2))).joint.turn == ()
    assert found_in(made_up((-0.2, 0.2), toys=1)).joint.turn == ()


def test_a_stage_wins_over_both_or_not_at_all() -> None:
    above, even = Difference(0.1, 0.05, 0.15), Difference(0.1, -0.05, 0.25)
    made = [AtStage(50.0, Estimate(0.5, 0.4, 0.6), *both, 8, 1) for both in ((above, even), (even, above))]
    assert not any(stage.wins for stage in made)
    assert turns(made, "auc").turn == ()


def test_the_table_and_the_figure_hold_all_stages(table: pd.DataFrame) -> None:
    shown = stages_table(table)
    assert shown.cells.index.tolist() == [
        (f"{latents} latents", f"{epochs} passes") for latents in (24, 8) for epochs in EPOCHS
    ]
    figure = recovered(table)
    assert isinstance(figure, BookFigure)
    data = figure.data[""]
    one = data[(data["measure"] == "ARI at 0.5") & (data["space"] == FEATURES) & (data["latents"] == 24)]
    assert one["mean"].tolist() == [stage.value.value for stage in stages(table, FEATURES, "ari", 24)]
