"""The leaderboard explorer: what it sends to the browser, what it refuses, its rows in Node.js, and how it is used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, expect

import nbkit
from nbkit.errors import NbkitError
from nbkit.explorers import LeaderboardExplorer
from nbkit.explorers.leaderboard.leaderboard import BOARD_TITLES, TRUE_NUMBER, leaderboard_data
from nbkit.explorers.mount import mount_point, state_of, write_explorers
from nbkit.explorers.shared.bundle import module_text
from nbkit.method.truth.recovery import Recovery
from tests.browser import page_checks as checks
from tests.browser.node import run_module

TITLES = {"ships": "ships & <b>boats</b>", "birds": "birds", "planes": "planes"}
LEADERBOARD = ".nk-leaderboard"
STUDENT = 12.706204736  # the 97.5% quantile with one degree of freedom


def example_table() -> pd.DataFrame:
    """Two groups of one unit in two tasks. In ships the AUC of `mine` is .9 and .8, of its control .6 and .5, of the
    vector .6 and .7; `text` sits birds out, where all are alike."""
    auc = {
        ("birds", "pre-MLP"): ((0.5, 0.5), (0.5, 0.5)),
        ("birds", "mine"): ((0.5, 0.5), (0.5, 0.5)),
        ("ships", "pre-MLP"): ((0.6, 0.7), (0.6, 0.7)),
        ("ships", "mine"): ((0.9, 0.8), (0.6, 0.5)),
        ("ships", "text"): ((0.4, 0.5), (0.4, 0.5)),
    }
    rows = [
        (task, f"{task} {group}", "unit", name, condition, measure, value)
        for (task, name), values in auc.items()
        for condition, of_groups in zip(("own", "shuffled"), values, strict=True)
        for group, value in enumerate(of_groups)
        for measure, value in (("auc", value), ("clusters", 10 * value), ("behaviors", 3))
    ]
    columns = ["task", "group", "unit", "contestant", "condition", "measure", "value"]
    return pd.DataFrame(rows, columns=columns).assign(version=1)


@pytest.fixture(scope="module")
def board() -> pd.DataFrame:
    return nbkit.leaderboard(example_table())


def test_a_row_holds_what_a_hand_computes(board: pd.DataFrame) -> None:
    data = leaderboard_data(board, TITLES)
    assert [(task["name"], task["title"]) for task in data["tasks"]] == [
        ("ships", "ships & <b>boats</b>"),
        ("birds", "birds"),
    ]
    assert [(m["name"], m["title"], m["digits"]) for m in data["measures"]] == [
        ("auc", "pair AUC", 3),
        ("clusters", "clusters at the paper's cut", 1),
    ]
    assert data["contestants"] == ["pre-MLP", "mine", "text"]
    [mine] = [row for row in data["rows"] if row[:3] == [0, 0, 1]]
    # means .85, .2 and .3; standard errors of two groups .05, .1 and 0
    assert mine[3:6] == [0.85, pytest.approx(0.05 * STUDENT, abs=1e-4), 1]
    assert mine[6:9] == [0.2, pytest.approx(0.1 * STUDENT, abs=1e-4), 0]
    assert mine[9:12] == [0.3, 0, 1] and mine[12:] == [2, 2]
    assert [row[3] for row in data["rows"] if row[:3] == [0, 2, 1]] == [3]
    json.dumps(data, allow_nan=False)


def test_one_group_has_no_interval_and_no_side() -> None:
    table = example_table()
    data = leaderboard_data(nbkit.leaderboard(table[table["group"].str.endswith("0")]), TITLES)
    [mine] = [row for row in data["rows"] if row[:3] == [0, 0, 1]]
    assert mine[3:] == [0.9, None, 0, 0.3, None, 0, 0.3, None, 0, 1, 1]


def test_every_measure_of_the_benchmark_has_a_title_and_others_their_name(board: pd.DataFrame) -> None:
    assert set(BOARD_TITLES) | {TRUE_NUMBER} == set(Recovery._fields)
    auc = board[board["measure"] == "auc"]
    known = [auc.assign(measure=name) for name in ("beauty", "ami", "ari")]
    data = leaderboard_data(pd.concat(known), {}, rule="the gap")
    assert [measure["title"] for measure in data["measures"]] == ["ARI at the gap", "AMI at the gap", "beauty"]


def test_tasks_without_a_title_come_behind(board: pd.DataFrame) -> None:
    assert [task["title"] for task in leaderboard_data(board, {"ships": "S"})["tasks"]] == ["S", "birds"]
    assert [task["title"] for task in leaderboard_data(board, {})["tasks"]] == ["birds", "ships"]


def test_choices_are_traits_that_refuse_what_is_not_there(board: pd.DataFrame) -> None:
    explorer = LeaderboardExplorer(board, TITLES)
    assert (explorer.task, explorer.measure, explorer.show, explorer.sort) == ("ships", "auc", "value", "value")
    explorer.task, explorer.measure, explorer.sort = "all tasks", "clusters", "birds"
    for name, value, message in (
        ("task", "planes", "no task 'planes' to show: choose one of ships, birds, all tasks"),
        ("measure", "behaviors", "no measure 'behaviors' to show: choose one of auc, clusters"),
        ("show", "rank", "no number 'rank' to show: choose one of value, over_baseline, over_control"),
        ("sort", "rank", "no column 'rank' to show: choose one of contestant, value"),
    ):
        with pytest.raises(NbkitError, match=message):
            setattr(explorer, name, value)
    assert (explorer.task, explorer.measure, explorer.sort) == ("all tasks", "clusters", "birds")


@pytest.mark.parametrize(
    ("wrong", "options", "message"),
    [
        (lambda b: [b], {}, "board is .*: give one of `nbkit.leaderboard`"),
        (lambda b: example_table(), {}, "lacks the columns value_low, value_high, over_baseline"),
        (lambda b: b[:0], {}, "nothing to show"),
        (lambda b: b[b["measure"] == "behaviors"], {}, "nothing to show"),
        (lambda b: pd.concat([b, b]), {}, "two rows for pre-MLP in auc of birds: make it by task alone"),
        (lambda b: b.assign(value="much"), {}, "column value holds no numbers"),
        (lambda b: b, {"titles": "ships"}, "titles are 'ships': give a dict"),
        (lambda b: b, {"task": "planes"}, "no task 'planes'"),
        (lambda b: b, {"measure": "beauty"}, "no measure 'beauty'"),
        (lambda b: b, {"baseline": "random"}, "no baseline 'random' to show: choose one of pre-MLP, mine, text"),
    ],
)
def test_what_is_no_leaderboard_is_refused(
    board: pd.DataFrame, wrong: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(NbkitError, match=message):
        LeaderboardExplorer(wrong(board), **options)


# the browser's side


def run(script: str, data: dict[str, Any]) -> Any:
    """What the JavaScript expression `script` gives for `about`, the data."""
    given = f"const about = {json.dumps(data)};\n"
    module = module_text("leaderboard/leaderboard.js")
    return json.loads(run_module(f"{module}\n{{\n{given}console.log(JSON.stringify({script}));\n}}"))


def test_rows_read_as_a_hand_writes_them(board: pd.DataFrame) -> None:
    data = leaderboard_data(board, TITLES)
    ships, clusters, every = run(
        """[["ships", "auc"], ["ships", "clusters"], ["all tasks", "auc"]].map(([task, measure]) => {
          const { columns, rows } = boardView(about, { task, measure, show: "over_control" });
          return [columns.map(({ title }) => title), ...rows.map(({ name, cells }) =>
            [name, ...cells.map((cell) => cell && [cell.number, cell.half, cell.side])])];
        })""",
        data,
    )
    assert ships[0] == ["pair AUC", "over pre-MLP", "over its control", "units (groups)"]
    two = ["2", "(2)", 0]
    assert ships[2] == ["mine", ["0.850", "± 0.635", 0], ["+0.200", "± 1.271", 0], ["+0.300", "", 1], two]
    assert ships[3] == ["text", ["0.450", "± 0.635", 0], ["−0.200", "", -1], ["0.000", "", 0], two]
    assert clusters[0][:2] == ["clusters at the paper's cut", "true"]
    assert clusters[2][1:3] == [["8.5", "± 6.4", 0], ["3.0", "", 0]]
    assert every == [
        ["ships & <b>boats</b>", "birds"],
        ["pre-MLP", ["0.000", "", 0], ["0.000", "", 0]],
        ["mine", ["+0.300", "", 1], ["0.000", "", 0]],
        ["text", ["0.000", "", 0], None],
    ]


def test_rows_sort_by_any_column_what_is_lacking_last() -> None:
    rng = np.random.default_rng(0)
    values = rng.permutation(20).astype(float)
    names = [f"name {i:02}" for i in rng.permutation(20)]
    numbers = [None if value < 5 else value for value in values]
    view = {
        "columns": [{"key": "value"}],
        "rows": [{"name": n, "cells": [None if v is None else {"at": v}]} for n, v in zip(names, numbers, strict=True)],
    }
    down, up, by_name, none = run(
        """[["value", true], ["value", false], ["contestant", false], ["units", true]].map(([key, down]) =>
          sortedRows(about, key, down).map(({ name }) => name))""",
        view,
    )
    lacking = [name for name, value in zip(names, numbers, strict=True) if value is None]
    order = [names[i] for i in np.argsort(values) if values[i] >= 5]
    assert up == [*order, *lacking] and down == [*order[::-1], *lacking]
    assert by_name == sorted(names) and none == names


# on a page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, board: pd.DataFrame) -> Path:
    """The folder of a page with two explorers."""
    folder = tmp_path_factory.mktemp("leaderboard")
    write_explorers(folder, ["LeaderboardExplorer"])
    hostile = board.replace({"contestant": {"text": "<i>text</i>"}})
    head = '<link rel="stylesheet" href="LeaderboardExplorer.css"><script src="LeaderboardExplorer.js" defer></script>'
    body = mount_point("LeaderboardExplorer", state_of(LeaderboardExplorer(hostile, TITLES)), folder, "") * 2
    text = f"<!doctype html><html lang=en data-theme=light><meta charset=utf-8><title>Board</title>{head}<body>{body}"
    (folder / "page.html").write_text(text, encoding="utf-8")
    return folder


@contextmanager
def opened(browser: Browser, folder: Path, part: str = "", width: int = 1280) -> Iterator[tuple[Locator, Locator]]:
    """Both explorers; nothing may have gone wrong in the end, nor moved while they came."""
    with checks.visit(browser, folder.as_uri() + "/", f"page.html{part}", width=width) as seen:
        views = seen.page.locator(LEADERBOARD)
        expect(views).to_have_count(2)
        checks.check_is_light(seen, "page.html")
        yield views.nth(0), views.nth(1)
        checks.check_fits_the_width(seen.page)
        checks.check_needs_no_network(seen)


def names(view: Locator) -> list[str]:
    return view.locator("tbody th").all_inner_texts()


def sorted_by(view: Locator) -> list[tuple[str, str | None]]:
    """The column heads that say that the rows are sorted by them, and how."""
    return [
        (" ".join(head.inner_text().split()), head.get_attribute("aria-sort"))
        for head in view.locator("th[aria-sort]").all()
    ]


def test_a_head_sorts_by_mouse_and_by_keyboard(browser: Browser, page: Path) -> None:
    with opened(browser, page) as (view, other):
        assert names(view) == ["mine", "pre-MLP", "<i>text</i>"]
        assert sorted_by(view) == [("pair AUC ↓", "descending")]
        view.get_by_role("button", name="pair AUC").click()
        assert sorted_by(view) == [("pair AUC ↑", "ascending")]
        assert names(view) == ["<i>text</i>", "pre-MLP", "mine"]
        head = view.get_by_role("button", name="over its control")
        head.press("Enter")
        assert sorted_by(view) == [("over its control ↓", "descending")]
        assert names(view) == ["mine", "pre-MLP", "<i>text</i>"]
        expect(head).to_be_focused()
        head.press("Shift+Tab")
        expect(view.get_by_role("button", name="over pre-MLP")).to_be_focused()
        view.page.keyboard.press("Space")
        assert sorted_by(view) == [("over pre-MLP ↓", "descending")]
        view.get_by_role("button", name="contestant").click()
        assert names(view) == ["<i>text</i>", "mine", "pre-MLP"]
        expect(view.locator("[aria-live].nk-hidden")).to_have_text(
            "ships & <b>boats</b>, pair AUC, by contestant, ascending"
        )
        assert sorted_by(other) == [("pair AUC ↓", "descending")]


def test_a_whole_interval_on_one_side_is_marked_and_said(browser: Browser, page: Path) -> None:
    with opened(browser, page, width=390) as (view, _):
        cells = [view.locator("tbody tr").nth(row).locator("td").all_inner_texts() for row in (0, 2)]
        assert [["".join(cell.split()) for cell in row] for row in cells] == [
            ["0.850±0.635", "+0.200±1.271", "+0.300▲,abovezero", "2(2)"],
            ["0.450±0.635", "−0.200▼,belowzero", "0.000", "2(2)"],
        ]


def test_tasks_and_measures_are_chosen(browser: Browser, page: Path) -> None:
    with opened(browser, page, width=390) as (view, _):
        expect(view.get_by_label("Number")).to_be_hidden()
        height = view.locator("table").evaluate("e => e.offsetHeight")
        view.get_by_label("Task").select_option("birds")
        lacking = view.locator("tbody tr").last
        assert lacking.inner_text().split() == ["<i>text</i>", "–", "–", "–", "–"]
        assert view.locator("table").evaluate("e => e.offsetHeight") <= height
        view.get_by_label("Measure").select_option("clusters")
        expect(view.locator("thead th")).to_contain_text(
            ["contestant", "clusters at the paper's cut", "true", "over pre-MLP", "over its control", "units (groups)"]
        )
        view.get_by_label("Task").select_option("all tasks")
        expect(view.locator("thead th")).to_contain_text(["contestant", "ships & <b>boats</b>", "birds"])
        assert names(view) == ["pre-MLP", "mine", "<i>text</i>"]  # as in the board: no column is called "value"
        view.get_by_label("Number").select_option("over_control")
        view.get_by_role("button", name="ships").click()
        assert names(view)[0] == "mine"
        view.page.wait_for_function("location.hash.includes('show=over_control;sort=ships')")


def test_an_address_and_a_file_say_what_is_shown(browser: Browser, page: Path) -> None:
    part = "#leaderboard;task=planes;sort=rank~leaderboard2;task=birds;measure=clusters;sort=over_control;down=false"
    with opened(browser, page, part) as (view, other):
        expect(view.get_by_label("Task")).to_have_value("ships")  # there is no such task
        assert sorted_by(view) == [("pair AUC ↓", "descending")]
        expect(other.get_by_label("Measure")).to_have_value("clusters")
        assert sorted_by(other) == [("over its control ↑", "ascending")]
        with other.page.expect_download() as found:
            other.get_by_role("button", name="Download CSV").click()
        read = pd.read_csv(found.value.path())
        mine = read[read["contestant"] == "mine"].groupby(["task", "measure"])
        assert mine.get_group(("ships", "auc"))["over_control"].tolist() == [0.3]
        numbers = mine.get_group(("birds", "behaviors")).drop(columns=["task", "measure", "contestant"])
        assert numbers.to_numpy().tolist() == [[3, 0, 0, 0, 0, 0, 2, 2]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(browser: Browser, page: Path, axe: Path, scheme: checks.Scheme) -> None:
    with (
        checks.served(page) as base,
        checks.visit(browser, base, "page.html#leaderboard2;task=all%20tasks;show=over_control") as seen,
    ):  # for axe-core
        seen.page.evaluate("scheme => (document.documentElement.dataset.theme = scheme)", scheme)
        seen.page.add_style_tag(content="[data-theme=dark] { --pst-color-background: #121212 }")
        expect(seen.page.locator(LEADERBOARD)).to_have_count(2)
        checks.check_accessible(seen.page, axe)
