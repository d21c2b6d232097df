"""What the page on large runs tells, its tables and its figure, of runs that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nbkit.errors import NbkitError
from nbkit.studies.large_run import beside_published, checked, coefficient_table, measured, plan, plan_table, wall_time
from nbkit.studies.large_run.findings import GIGA, HOUR, job_array
from nbkit.studies.large_run.workers import PARTS
from tests.examples.figure_data import data_of
from tests.examples.large_run import EACH, WORK, sample_of
from tests.figures.test_figures import drawn, without_overlap

WORKERS = (1, 8, 200)
SLOW_CHECK = replace(EACH, name="slow check", check=1e4)


def test_a_plan_tells_its_fastest_run_and_whether_more_workers_are_slower() -> None:
    found = plan(WORK, EACH, WORKERS)
    assert [run.cluster.n_workers for run in found.runs] == list(WORKERS)
    assert found.fastest.wall == min(run.wall for run in found.runs)
    assert found.writes_more == pytest.approx(found.runs[2].written / found.runs[0].written)
    assert found.writes_more_apart == pytest.approx(found.apart.written / found.runs[0].written)
    assert 1 < found.writes_more < 2 < found.writes_more_apart
    assert found.merged_alone.cluster.n_workers == 200 and found.merged_alone.wall > found.last.wall
    slow = plan(WORK, SLOW_CHECK, WORKERS)
    assert slow.slows and slow.last.bottleneck == "check of the blocks"
    assert not plan(WORK, EACH, (1, 2)).slows


@pytest.mark.parametrize("workers", [[], [8, 1], [2, 2]])
def test_workers_ascend(workers: list[int]) -> None:
    with pytest.raises(NbkitError, match="ascending order"):
        plan(WORK, EACH, workers)


def test_the_table_has_a_row_for_each_run() -> None:
    plans = [plan(WORK, each, WORKERS) for each in (EACH, SLOW_CHECK)]
    table = plan_table(plans, "runs")
    assert table.cells.index.tolist()[:3] == [("a worker", "1"), ("a worker", "8"), ("a worker", "200")]
    row = table.data.iloc[4]
    run = plans[1].runs[1]
    assert row["wall time, h"] == run.wall / HOUR and row["worker hours"] == pytest.approx(8 * run.wall / HOUR)
    assert row["blocks written, GB"] == run.written / GIGA and row["read again, GB"] == 2 * run.written / GIGA
    assert row["bottleneck"] == run.bottleneck


@pytest.mark.parametrize("n_jobs", [1, 3, 62, 63, 64])
def test_an_array_of_jobs_does_each_block_once(n_jobs: int) -> None:
    array = job_array(WORK, n_jobs)
    assert array.n_jobs <= n_jobs
    blocks = range(WORK.n_blocks)
    shares = [blocks[job * array.each : (job + 1) * array.each] for job in range(array.last + 1)]
    assert [block for share in shares for block in share] == list(blocks) and all(shares)


def test_coefficients_stand_in_their_units() -> None:
    column = coefficient_table([EACH]).data["a worker"]
    assert column["look at an activation, ns"] == pytest.approx(1e4)
    assert column["keep a record, µs"] == pytest.approx(1_000)
    assert column["make a block's file, MB/s"] == pytest.approx(1)
    assert column["forward pass, TFLOP/s"] == pytest.approx(1e-6)


def test_a_sample_without_noise_is_as_predicted() -> None:
    sample = sample_of()
    found = checked(sample, measured(sample))
    ratios = found.table.data["predicted / measured"]
    np.testing.assert_allclose(ratios.iloc[:-1], 1, rtol=1e-3)
    assert ratios.iloc[-1] == pytest.approx(1 / 1.25, rel=1e-3), "two workers that disturb each other"
    assert found.efficiency == pytest.approx(0.8) and found.worst_bytes == pytest.approx(0, abs=1e-3)
    assert found.scan_by_bare == pytest.approx(sample.blocks["bare"].sum() / sample.blocks["scan"].sum())


def test_blocks_that_are_fitted_are_not_counted_as_predicted() -> None:
    assert np.isnan(checked(sample_of(n_blocks=2), EACH).worst_bytes)
    sample = sample_of()
    sample.blocks["bytes"] *= np.array([1.0, 1.0, 1.0, 0.8])
    assert checked(sample, EACH).worst_bytes == pytest.approx(0.25)


@pytest.mark.parametrize(("load", "busy"), [(0.5, False), (2.0, True), (np.nan, False)])
def test_a_busy_machine_is_told(load: float, busy: bool) -> None:
    assert checked(sample_of(load=load), EACH).busy is busy


def test_others_stand_beside_the_plan() -> None:
    run = plan(WORK, EACH, WORKERS).runs[1]
    table = beside_published(run, "Llama, 8B", 100_000_000).data
    assert table["A100 hours"].iloc[:2].tolist() == [128, 120]
    assert np.isnan(table["million tokens"].iloc[0]) and table["million tokens"].iloc[1:].tolist() == [20, 100]
    assert table["A100 hours"].iloc[2] == pytest.approx(run.worker_hours)


def test_the_figure_marks_the_bottleneck_of_every_run() -> None:
    plans = [plan(WORK, each, WORKERS) for each in (EACH, SLOW_CHECK)]
    figure = drawn(wall_time(plans))
    without_overlap(figure)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a worker", "slow check"]
    for ax, each in zip(figure.axes, plans, strict=True):
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        line, shared, *marks = ax.get_lines()
        hours = [run.wall / HOUR for run in each.runs]
        np.testing.assert_allclose(np.asarray(line.get_ydata(), float), hours)
        np.testing.assert_allclose(np.asarray(shared.get_ydata(), float), hours[0] / np.array(WORKERS))
        assert sum(len(np.asarray(mark.get_xdata())) for mark in marks) == len(WORKERS)
    data = data_of(figure)
    assert len(data) == 6
    np.testing.assert_allclose(data[[f"{part} (h)" for part in PARTS]].sum(axis=1), data["wall time (h)"], rtol=1e-4)
    named = {text.get_text() for text in figure.legends[0].get_texts()}
    assert named == {"equally shared", *(run.bottleneck for each in plans for run in each.runs)}
