"""Tables 2 and 3: the search on small runs, and what is near the paper worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import cosine

import nbkit.studies.sae_tables.course
import nbkit.studies.sae_tables.reproduction
import nbkit.studies.shared.kept_tables
from nbkit.errors import NbkitError
from nbkit.method.controls import other_units
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.latents import control_distances
from nbkit.sae.training import train_sae, train_saes
from nbkit.studies.sae_tables.course import loss_course
from nbkit.studies.sae_tables.reproduction import (
    Search,
    controls,
    factors,
    joint_factors,
    misses,
    reproduce,
    rows_over_seeds,
)
from nbkit.studies.shared.paper import PAPER_COLUMNS, PAPER_ROUNDING, PAPER_ROWS, STANDARD, WITH_LOSS, paper_row
from tests.examples.evaluated import evaluated
from tests.examples.tables import LATE, STATED, example_tables
from tests.studies.trade_off.test_experiment import small_hidden, small_sae

SMALL = {"d_sae": 24, "batch_size": 32, "learning_rate": 0.01}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[SaeConfig]]:
    """The configs of each call that trains; small activations and autoencoders, a cache of their own."""
    calls: list[list[SaeConfig]] = []

    def train(data: Any, configs: list[SaeConfig], progress: bool) -> list[SparseAutoencoder]:
        calls.append(configs)
        return train_saes(data, [replace(config, **SMALL) for config in configs], progress=progress)

    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(nbkit.studies.sae_tables.reproduction, "hidden_of", small_hidden)
    monkeypatch.setattr(nbkit.studies.shared.kept_tables, "mlp_for", lambda _: None)
    monkeypatch.setattr(nbkit.studies.sae_tables.reproduction, "train_saes", train)
    return calls


def test_the_paper_s_rows() -> None:
    assert list(PAPER_ROWS.columns) == list(PAPER_COLUMNS) and PAPER_ROWS.shape == (2, 8)
    assert paper_row(STANDARD)["l1"] == 2600 and paper_row(WITH_LOSS)["dead"] == 3.7
    assert (
        pytest.approx(
            {"mse": 0.005, "l1": 50, "l0": 0.05, "accuracy_loss": 0.05, "max_distance": 0.005, "mean_distance": 0.005}
            | {"size": 0.5, "dead": 0.05}
        )
        == PAPER_ROUNDING
    )


def test_a_search_is_all_combinations() -> None:
    search = Search(ne={"pairs": [1e-3, 2e-3], "latents": [0.1]}, ne_start=[0, 200], momentum=[0.5, 0.9, 0.99])
    configs = search.configs()
    assert len(configs) == 3 * 2 * 3
    assert configs["latents, λ₂ 0.1, start 200, m 0.99"] == SaeConfig(
        ne=0.1, ne_over="latents", ne_start=200, momentum=0.99
    )
    assert {(c.ne, c.ne_over) for c in configs.values()} == {(1e-3, "pairs"), (2e-3, "pairs"), (0.1, "latents")}


def test_the_default_search_has_what_the_paper_states() -> None:
    assert any(config == SaeConfig(ne=config.ne) for config in Search().configs().values())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ne": {}}, "ne holds no values of lambda 2"),
        ({"ne": {"pairs": []}}, r"ne\['pairs'\] is \[\]: give at least one value"),
        ({"ne": {"pairs": [0.0, 1e-3]}}, "ne holds 0.0: the loss needs weights above 0"),
        ({"ne": {"neurons": [1e-3]}}, "There is no sum over 'neurons': choose from pairs, latents"),
        ({"ne_start": [200, 200]}, r"ne_start is \[200, 200\]: give at least one value, and each once"),
        ({"momentum": []}, r"momentum is \[\]"),
        ({"n_seeds": 0}, "n_seeds is 0: it must be at least 1"),
        ({"n_best": 0}, "n_best is 0: it must be at least 1"),
    ],
)
def test_a_wrong_search_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        Search(**wrong)


@pytest.mark.parametrize(("n_seeds", "of_search"), [(1, 1), (2, 3)])
def test_too_few_seeds_are_refused(n_seeds: int, of_search: int) -> None:
    with pytest.raises(NbkitError, match=rf"n_seeds is {n_seeds}: .* and the search takes {of_search}"):
        reproduce(Search(n_seeds=of_search), n_seeds=n_seeds)


def test_rows_are_what_each_autoencoder_alone_gives(trained: list[list[SaeConfig]]) -> None:
    configs = {"a": SaeConfig(), "b": SaeConfig(ne=0.01, ne_start=2), "c": SaeConfig(ne=0.02, ne_start=2)}
    rows = rows_over_seeds(configs, n_seeds=2, seed=3, n_jobs=1, progress=False)
    assert sorted(zip(rows["name"], rows["seed"], strict=True)) == [(n, s) for n in "abc" for s in (3, 4)]
    assert sorted(len(call) for call in trained) == [1, 1, 2, 2], "those that differ in weights are one computation"
    for name, config in configs.items():
        hidden = small_hidden(4)
        sae = train_sae(hidden.train, replace(config, seed=4, **SMALL), progress=False)
        [mine] = rows[(rows["name"] == name) & (rows["seed"] == 4)].to_dict("records")
        expected = evaluated(sae, hidden.train, hidden.test, hidden.readout, hidden.test_labels).summary
        assert {key: mine[key] for key in expected} == pytest.approx(expected, rel=1e-3, nan_ok=True)


def test_rows_are_kept(trained: list[list[SaeConfig]]) -> None:
    configs = {"a": SaeConfig(), "b": SaeConfig(ne=0.01, ne_start=2)}
    first = rows_over_seeds(configs, n_seeds=2, n_jobs=1, progress=False)
    n = len(trained)
    pd.testing.assert_frame_equal(rows_over_seeds(configs, n_seeds=2, n_jobs=1, progress=False), first)
    assert len(trained) == n
    renamed = rows_over_seeds({"x": configs["b"]}, n_seeds=3, n_jobs=1, progress=False)
    assert len(trained) == n + 1, "the name is none of the request, and two of three seeds were there"
    assert set(renamed["name"]) == {"x"}


def test_the_nearest_and_the_stated_settings_get_all_seeds(trained: list[list[SaeConfig]]) -> None:
    search = Search(ne={"pairs": [0.01, 0.1]}, ne_start=[2, 200], momentum=[0.9], n_seeds=1, n_best=1)
    found = reproduce(search, n_seeds=3, n_jobs=1, progress=False)
    assert found.tried["name"].nunique() == 4 and set(found.tried["seed"]) == {0}
    best = str(misses(found.tried).index[0])
    assert found.stated is not None and found.configs[found.stated].ne_start == 200
    assert set(found.rows["name"]) == {STANDARD, best, found.stated}
    assert (found.rows.groupby("name")["seed"].nunique() == 3).all()
    assert set(found.row(STANDARD)["name"]) == {STANDARD} and set(found.row(WITH_LOSS)["name"]) == {found.nearest}
    assert found.two_starts == {name: found.configs[name] for name in (found.nearest, found.stated)}
    assert set(found.fresh["name"]) == {STANDARD, found.nearest} and set(found.fresh["seed"]) == {100, 101, 102}


def test_without_the_paper_s_start_there_is_no_stated_setting() -> None:
    found = example_tables(tried=(LATE,))
    assert found.stated is None and list(found.two_starts) == [LATE]


def test_the_nearest_over_all_seeds_counts() -> None:
    found = example_tables()
    assert found.nearest == LATE and found.stated == STATED
    found.rows.loc[found.rows["name"] == LATE, "dead"] *= 9  # near with the seeds of the search alone
    assert found.nearest == STATED


def test_misses_by_hand() -> None:
    paper = paper_row(WITH_LOSS)
    rows = pd.DataFrame(
        [
            {"name": "half", "seed": 0, **paper, "mse": paper["mse"] / 4},
            {"name": "half", "seed": 1, **paper, "mse": paper["mse"] * 3 / 4},  # the mean over seeds is the half
            {"name": "twice", "seed": 0, **paper, "l0": paper["l0"] * 16, "dead": paper["dead"] / 16},
            {"name": "none", "seed": 0, **paper, "accuracy_loss": -0.1},
            {"name": "unknown", "seed": 0, **paper, "mean_distance": np.nan},
        ]
    )
    found = misses(rows)
    assert list(found.index) == ["half", "twice", "none", "unknown"]
    assert found["factor"].tolist()[:3] == pytest.approx([2 ** (1 / 8), 16 ** (2 / 8), 1000 ** (1 / 8)])
    assert np.isnan(found.loc["unknown", "factor"]), "what is undefined is no match"
    assert factors(found).loc["twice"].tolist() == pytest.approx([1, 1, 16, 1, 1, 1, 1, 16])


def test_joint_factors_by_hand() -> None:
    found = example_tables(late={"mse": 0.5}, stated={"l0": 2.0}, latents={"mse": 0.8, "l0": 4.0}, spread=0)
    best = joint_factors(misses(found.tried))
    assert best["mse"]["mse"] == pytest.approx(1) and best["l0"]["l0"] == pytest.approx(1)
    assert best["mse"]["l0"] == best["l0"]["mse"] == pytest.approx(2), (
        "neither 0.5 with 1, nor 1 with 2, nor 0.8 with 4"
    )
    assert best["size"]["dead"] == pytest.approx(1)


def test_controls_against_plain_loops() -> None:
    hidden, sae = small_hidden(), small_sae()
    found = evaluated(sae, hidden.train, hidden.test, hidden.readout, hidden.test_labels)
    figures = controls(sae, hidden, found, seed=5)
    sizes = found.latents["size"]
    living = [int(latent) for latent in np.flatnonzero(sizes >= 2)]
    other = other_units(len(living), 5)
    w, test = sae.w_enc.detach().double().numpy(), hidden.test.double().detach().numpy()
    largest, mean = [], []
    for place, latent in enumerate(living):
        weights = w[:, living[other[place]]]
        embedded = [test[i] * weights for i in found.all_examples.inputs[found.all_examples.of(latent)].tolist()]
        distances = [cosine(a, b) for a, b in combinations(embedded, 2)]
        largest.append(max(distances))
        mean.append(np.mean(distances))
    assert figures["max_other"] == pytest.approx(np.median(largest))
    assert figures["mean_other"] == pytest.approx(np.median(mean))
    assert figures["mean_random"] == pytest.approx(np.median(control_distances(sae.w_enc, hidden.test, 5)[living]))
    assert figures["mean_distance_2"] == pytest.approx(found.summary["mean_distance"])
    assert figures["size_5"] == pytest.approx(np.median(sizes[sizes >= 5]))
    assert figures["max_distance_4"] == pytest.approx(np.median(found.latents["max_distance"][sizes >= 4]))


def test_controls_of_a_dead_autoencoder_are_undefined() -> None:
    hidden, sae = small_hidden(), small_sae()
    with torch.no_grad():
        sae.b_enc.fill_(-100.0)
    figures = controls(sae, hidden, evaluated(sae, hidden.train, hidden.test))
    assert figures and all(np.isnan(value) for value in figures.values())


@pytest.fixture
def small_course(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(nbkit.studies.shared.kept_tables, "mlp_for", lambda _: None)
    monkeypatch.setattr(nbkit.studies.sae_tables.course, "hidden_of", small_hidden)
    monkeypatch.setattr(nbkit.studies.sae_tables.course, "MEASURED_EVERY", 3)


@pytest.mark.usefixtures("small_course")
def test_a_course_ends_where_training_ends_and_begins_alike() -> None:
    hidden = small_hidden(2)
    early, late = (SaeConfig(ne=1.0, ne_start=start, **SMALL) for start in (3, 6))
    course = loss_course({"early": early, "late": late}, seed=2, n_jobs=1, progress=False)
    assert course["step"].tolist() == [3, 6, 9] * 2  # 260 inputs in batches of 32
    by_name = {name: rows.drop(columns="name").reset_index(drop=True) for name, rows in course.groupby("name")}
    pd.testing.assert_series_equal(by_name["early"].iloc[0], by_name["late"].iloc[0])
    assert by_name["early"]["l0"][1] != by_name["late"]["l0"][1]
    sae = train_sae(hidden.train, replace(late, seed=2), progress=False)
    last = by_name["late"].iloc[-1]
    expected = evaluated(sae, hidden.train, hidden.test).summary
    assert {name: last[name] for name in nbkit.studies.sae_tables.course.COURSE_FIGURES} == pytest.approx(
        {name: expected[name] for name in nbkit.studies.sae_tables.course.COURSE_FIGURES}, nan_ok=True
    )


@pytest.mark.usefixtures("small_course")
def test_a_course_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"a": SaeConfig(**SMALL)}
    first = loss_course(config, n_jobs=1, progress=False)
    monkeypatch.setattr(nbkit.studies.sae_tables.course, "hidden_of", lambda _: pytest.fail("trained again"))
    pd.testing.assert_frame_equal(loss_course(config, n_jobs=1, progress=False), first)
