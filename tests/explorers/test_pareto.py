"""The Pareto explorer: what it sends to the browser, what it refuses, and its axes, run under Node.js."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nbkit.errors import NbkitError
from nbkit.explorers import ParetoExplorer
from nbkit.explorers.pareto.pareto import pareto_data
from nbkit.explorers.shared.bundle import module_text
from nbkit.sae.sweep_columns import SWEEP_MEASURES
from tests.browser.node import run_module
from tests.examples.sweep import example_sweep


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return example_sweep()


def data_of(table: pd.DataFrame) -> dict[str, Any]:
    """What the browser gets."""
    data: dict[str, Any] = json.loads(pareto_data(table)[0])
    return data


def test_a_point_holds_its_seeds_their_mean_and_its_interval(table: pd.DataFrame) -> None:
    data = data_of(table)
    assert [axis["name"] for axis in data["axes"]] == list(SWEEP_MEASURES)
    assert data["levels"] == [0, 0.003, 0.01]
    assert [(kind["name"], kind["title"], kind["by"]) for kind in data["kinds"]] == [
        ("relu", "ReLU", "λ₁"),
        ("topk", "TopK", "k"),
    ]
    assert len(data["points"]) == table.groupby(["activation", "ne", "sparsity"]).ngroups
    for point in data["points"]:
        rows = table[
            (table["activation"] == data["kinds"][point["kind"]]["name"])
            & (table["ne"] == data["levels"][point["level"]])
            & (table["sparsity"] == point["sparsity"])
        ]
        for axis, means, seeds in zip(data["axes"], point["means"], point["seeds"], strict=True):
            values = rows[axis["name"]]
            assert seeds == pytest.approx(values.tolist(), rel=5e-4)
            half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
            assert means == pytest.approx([values.mean(), values.mean() - half, values.mean() + half], rel=5e-4)


def test_the_activations_stand_in_the_order_of_the_table(table: pd.DataFrame) -> None:
    data = data_of(table[::-1])
    assert [kind["name"] for kind in data["kinds"]] == ["topk", "relu"]
    kinds = [point["kind"] for point in data["points"]]
    assert kinds == sorted(kinds)


def test_what_is_undefined_is_null(table: pd.DataFrame) -> None:
    part = table[table["seed"] == 0].assign(purity=np.nan)
    data = data_of(part)
    purity = [axis["name"] for axis in data["axes"]].index("purity")
    for point in data["points"]:
        assert point["means"][purity] == [None, None, None] and point["seeds"][purity] == [None]
        mean, low, high = point["means"][0]
        assert mean is not None and low is None and high is None  # one seed has no interval


def test_only_positive_measures_have_a_logarithmic_axis(table: pd.DataFrame) -> None:
    def logarithmic(of: pd.DataFrame) -> set[str]:
        return {axis["name"] for axis in data_of(of)["axes"] if axis["log"]}

    assert logarithmic(table) == {"mse", "l0", "max_distance", "mean_distance", "relative_distance"}
    assert "mse" not in logarithmic(table.assign(mse=table["mse"] - table["mse"].min()))


def test_the_first_level_is_the_standard_one_even_if_the_table_lacks_it(table: pd.DataFrame) -> None:
    data = data_of(table[table["ne"] > 0])
    assert data["levels"] == [0, 0.003, 0.01]
    assert {point["level"] for point in data["points"]} == {1, 2}


def test_a_sweep_takes_less_than_120_kilobytes_with_code_and_style(table: pd.DataFrame) -> None:
    assert len(json.dumps(json.dumps(ParetoExplorer(table).get_state()))) < 120_000


def test_axes_and_activations_are_traits_that_follow_and_refuse(table: pd.DataFrame) -> None:
    explorer = ParetoExplorer(table, x="mse", y="purity")
    assert (explorer.x, explorer.y, explorer.activations) == ("mse", "purity", ["relu", "topk"])
    explorer.y, explorer.activations = "dead", ["topk"]
    with pytest.raises(NbkitError, match="no measure 'beauty' to show: choose one of max_distance"):
        explorer.x = "beauty"
    with pytest.raises(NbkitError, match="no activation 'batch_topk' to show: choose from relu, topk"):
        explorer.activations = ["batch_topk"]
    assert (explorer.x, explorer.y, explorer.activations) == ("mse", "dead", ["topk"])
    with pytest.raises(NbkitError, match="beauty"):
        ParetoExplorer(table, y="beauty")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda t: t[:0], "needs rows"),
        (lambda t: t[["activation", "ne", "sparsity", "seed", "mse"]], "at least two measures"),
        (lambda t: t.drop(columns=["seed", "ne"]), "lacks the columns ne, seed"),
        (lambda t: t.assign(activation="gelu"), "no activation 'gelu'"),
    ],
)
def test_a_table_that_is_no_sweep_is_refused(table: pd.DataFrame, wrong: Any, message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        ParetoExplorer(wrong(table))


# the browser's side


def run(script: str, **values: Any) -> Any:
    """What the JavaScript expression `script` gives for `values`."""
    given = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    return json.loads(
        run_module(f"{module_text('pareto/pareto.js')}\n{{\n{given}console.log(JSON.stringify({script}));\n}}")
    )


def test_the_served_module_exports_a_widget_and_imports_nothing() -> None:
    assert "import" not in [line.split(" ")[0] for line in module_text("pareto/pareto.js").splitlines()]
    assert run("typeof render") == "function"


@pytest.mark.parametrize("log", [False, True])
def test_an_axis_keeps_order_and_proportions_and_has_round_ticks(log: bool) -> None:
    rng = np.random.default_rng(0)
    cases = [
        np.sort(10 ** rng.uniform(-4, 3) * 10 ** rng.uniform(0, rng.choice([0.01, 0.3, 1, 4]), 6)) for _ in range(200)
    ]
    script = """cases.map((values) => {
      const { place, ticks } = makeAxis(values, log, 300, 20, 5);
      return { at: values.map(place), ticks, ticksAt: ticks.map(place) };
    })"""
    for values, axis in zip(cases, run(script, cases=[c.tolist() for c in cases], log=log), strict=True):
        scaled = np.log10(values) if log else values
        share = (scaled - scaled[0]) / (scaled[-1] - scaled[0])
        at = np.array(axis["at"])
        assert np.allclose((at - at[0]) / (at[-1] - at[0]), share, atol=1e-6)
        assert 300 > at[0] > at[-1] > 20  # a margin on both sides, upwards on the page
        ticks = axis["ticks"]
        assert 2 <= len(ticks) <= 11, values
        assert ticks == sorted(set(ticks))
        assert all(20 - 1e-6 <= place <= 300 + 1e-6 for place in axis["ticksAt"])
        if np.allclose(np.diff(ticks), ticks[1] - ticks[0]):  # multiples of a step
            assert np.allclose(ticks / np.diff(ticks)[0], np.round(ticks / np.diff(ticks)[0]))
        else:  # one digit each
            assert log and all(tick == float(f"{tick:.0e}") for tick in ticks)


def test_axes_by_hand() -> None:
    script = """[
      makeAxis([0, 10], false, 0, 112, 5).ticks, makeAxis([0, 10], false, 0, 112).place(5),
      makeAxis([0.2, 30], true, 0, 100, 6).ticks, Math.round(makeAxis([1, 1000], true, 0, 112).place(Math.sqrt(1000))),
      makeAxis([1e-6, 1e3], true, 0, 100, 5).ticks, makeAxis([3], false, 0, 100).place(3),
      makeAxis([0], false, 0, 100).place(0), makeAxis([0.5, 0.6], true, 0, 100, 5).ticks,
    ]"""
    assert run(script) == [
        *[[0, 5, 10], 56, [0.2, 0.5, 1, 2, 5, 10, 20], 56],
        *[[1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000], 50, 50],
        [0.5, 0.55, 0.6],
    ]


def test_numbers_as_axes_and_tables_show_them() -> None:
    script = """[short(2e-4), short(2.5e-5), short(0), short(0.003), short(-0.5), short(-2e-5), short(8),
      short(1234.56), fixed(0.1234, 3), fixed(-1.26, 1), fixed(-0.0001, 3), fixed(0, 2), fixed(12.5, 0)]"""
    assert run(script) == [
        *["2e−4", "2.5e−5", "0", "0.003", "−0.5", "−2e−5", "8", "1235"],
        *["0.123", "−1.3", "0.000", "0.00", "13"],
    ]


def test_boxes_that_are_shown_do_not_overlap_and_hidden_ones_would() -> None:
    rng = np.random.default_rng(0)
    boxes = [dict(zip(("x", "y", "width", "height"), rng.uniform(0, 30, 4).tolist(), strict=True)) for _ in range(60)]
    shown = run("apart(boxes)", boxes=boxes)

    def meet(one: dict[str, float], other: dict[str, float]) -> bool:
        across = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
        down = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
        return across > 0 and down > 0

    kept = [box for box, is_shown in zip(boxes, shown, strict=True) if is_shown]
    assert 1 < len(kept) < 60
    assert not any(meet(one, other) for one, other in combinations(kept, 2))
    for place, is_shown in enumerate(shown):
        before = [boxes[i] for i in range(place) if shown[i]]
        assert is_shown != any(meet(boxes[place], other) for other in before)
