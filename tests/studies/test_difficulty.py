"""What makes it hard, from a contest's table by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbkit.method.truth.toys import Toy
from nbkit.studies.ground_truth.difficulty import Hardness, by_difficulty, difficulty_table
from nbkit.studies.shared.learned import JOINT

EVEN = {"n_examples": 300, "balance": 1}


def rows_of(
    task: str, name: str, difficulty: Mapping[str, Any], auc: Mapping[str, float], groups: int = 3
) -> Iterator[dict[str, Any]]:
    """Two units of each group, of 4 and 10 behaviors; a group's values are a little above those of the one before."""
    for group in range(groups):
        for unit in range(2):
            for contestant, value in auc.items():
                for measure, number in (("auc", value + 0.01 * group + 0.02 * unit), ("behaviors", 4 + 6 * unit)):
                    yield {
                        "version": 1,
                        "task": task,
                        "group": f"{task} {group}",
                        "unit": f"{name} {group} {unit}",
                        "contestant": contestant,
                        "condition": "own",
                        "measure": measure,
                        "value": number,
                        **difficulty,
                    }


@pytest.fixture(scope="module")
def found() -> Hardness:
    """Noise and a balance make toys harder for the joint space; with noise it is below the vector. In text a third term
    does not."""

    def auc(joint: float, vector: float = 0.8) -> dict[str, float]:
        return {"pre-MLP": vector, "paper's": 0.7, JOINT: joint, "whitened": 0.1}

    rows = [
        *rows_of("toy", "plain", Toy().difficulty, auc(0.9)),
        *rows_of("toy", "noise", Toy(noise=0.5).difficulty, auc(0.75)),
        *rows_of("toy", "even", Toy(n_examples=300, balance=1).difficulty, auc(0.95)),
        *rows_of("toy", "ratio", Toy(n_examples=300, balance=50).difficulty, auc(0.92)),
        *rows_of("toy", "few", Toy(n_examples=10, balance=1).difficulty, auc(0.95)),
        *rows_of("merged probes", "two", {"terms": 2, "balance": 1}, auc(0.9) | {"key token": 0.6}),
        *rows_of("merged probes", "ratio", {"terms": 2, "balance": 10}, auc(0.85) | {"key token": 0.6}),
        *rows_of("merged probes", "three", {"terms": 3, "balance": 1}, auc(0.9) | {"key token": 0.6}),
        *rows_of("null", "null", Toy().difficulty, auc(0.5)),
    ]
    return by_difficulty(pd.DataFrame(rows))


def test_every_difficulty_is_compared_with_what_it_differs_from_in_one_thing(found: Hardness) -> None:
    away = {each.title: each.over_easy.value for each in found.on}
    expected = {
        "plain (toy networks)": np.nan,
        "2 to 5 behaviors (toy networks)": np.nan,
        "9 behaviors or more (toy networks)": 0.02,
        "noise 0.5 (toy networks)": -0.15,
        "300 examples, 1 to 1 (toy networks)": 0.05,
        "300 examples, 50 to 1 (toy networks)": -0.03,
        "10 examples, 1 to 1 (toy networks)": 0.0,
        "2 terms (merged probes)": np.nan,
        "3 terms (merged probes)": 0.0,
        "2 terms, 10 to 1 (merged probes)": -0.05,
    }
    assert list(away) == list(expected)
    np.testing.assert_allclose(list(away.values()), list(expected.values()), atol=1e-12)


def test_verdicts_follow_from_whole_intervals(found: Hardness) -> None:
    assert found.below == ("noise 0.5 (toy networks)",)
    assert len(found.above) == len(found.on) - 1
    assert {"noise 0.5 (toy networks)", "2 terms, 10 to 1 (merged probes)"} <= {*found.harder}
    assert "300 examples, 1 to 1 (toy networks)" in found.easier
    assert "3 terms (merged probes)" not in found.harder + found.easier


def test_the_table_has_the_spaces_that_are_there(found: Hardness) -> None:
    shown = difficulty_table(found)
    assert list(shown.cells.columns) == ["pre-MLP", "paper's", JOINT, "key token", "difference", "units"]
    [row] = shown.cells.loc[[("toy networks", "9 behaviors or more")]].to_dict("records")
    assert row["units"] == 3 and row[JOINT].value == pytest.approx(0.93)
    assert shown.cells.loc[("toy networks", "plain"), "key token"] is None
    assert shown.written.loc[("toy networks", "plain"), "key token"] == "–"
    assert "whitened" not in shown.cells


def test_without_units_that_vary_there_is_nothing_to_say() -> None:
    rows = rows_of("images", "images", {"side": 1.0}, {"pre-MLP": 0.8, JOINT: 0.9})
    assert by_difficulty(pd.DataFrame(rows)).on == ()
