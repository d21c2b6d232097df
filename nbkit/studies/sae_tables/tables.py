"""Tables 2 and 3 beside the paper's, their controls, and the settings of the search, for the eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nbkit.mnist.mlp import MLP_RECIPE
from nbkit.sae.config import SaeConfig
from nbkit.studies.sae_tables.columns import (
    TABLE_COLUMNS,
    as_measured,
    as_printed,
    book_table,
    quantity_name,
)
from nbkit.studies.sae_tables.reproduction import BY_EXAMPLES, LEAST_EXAMPLES, Reproduction, misses
from nbkit.studies.shared.paper import PAPER_COLUMNS, STANDARD, WITH_LOSS, paper_row
from nbkit.studies.shared.quantity import Quantity
from nbkit.studies.shared.table import BookTable, exact

TABLE_2, TABLE_3 = PAPER_COLUMNS[:4], PAPER_COLUMNS[4:]
CONTROLLED = ("max_distance", "max_other", "mean_distance", "mean_other", "mean_random", "participation")
CONFIG_TITLES = {
    "d_sae": "latents",
    "l1": "λ₁",
    "ne": "λ₂",
    "ne_start": "steps without the loss",
    "momentum": "momentum m",
    "ne_over": "distances summed over",
    "learning_rate": "learning rate",
    "weight_decay": "L2 decay",
    "batch_size": "batch",
    "epochs": "epochs",
}
OF_THE_LOSS = ("ne_start", "momentum", "ne_over")


def hyperparameters(found: Reproduction) -> BookTable:
    """What the MLP and both autoencoders were trained with."""
    standard, with_loss = found.configs[STANDARD], found.configs[found.nearest]
    table: dict[str, dict[str, object]] = {"optimizer": {"MLP": "Adadelta", STANDARD: "Adam", WITH_LOSS: "Adam"}}
    table |= {
        title: {
            "MLP": _written(MLP_RECIPE.get(name, "")),
            STANDARD: "" if name in OF_THE_LOSS else _written(getattr(standard, name)),
            WITH_LOSS: _written(getattr(with_loss, name)),
        }
        for name, title in CONFIG_TITLES.items()
    }
    table["learning rate times, after each epoch"] = {
        "MLP": _written(MLP_RECIPE["falls_by"]),
        STANDARD: "",
        WITH_LOSS: "",
    }
    table["dropout"] = {"MLP": _written(MLP_RECIPE["dropout"]), STANDARD: "", WITH_LOSS: ""}
    return book_table("hyperparameters", table)


def table_2(found: Reproduction) -> BookTable:
    """Table 2: the paper's rows, and this build's as mean ± standard deviation over seeds."""
    return _beside_the_paper("table-2", found, TABLE_2)


def table_3(found: Reproduction) -> BookTable:
    """Table 3: the paper's rows, and this build's as mean ± standard deviation over seeds, with dead latents by a
    second rule."""
    return _beside_the_paper("table-3", found, (*TABLE_3, "dead_strict"))


def distance_controls(found: Reproduction) -> BookTable:
    """The distances of Table 3 beside those with other weights and of other images."""
    rows = {row: as_measured(found.row(row), CONTROLLED) for row in (STANDARD, WITH_LOSS)}
    return book_table("distance-controls", rows)


def least_examples(found: Reproduction) -> BookTable:
    """The medians of Table 3's standard row over the latents with at least so many examples."""
    table: dict[str, Mapping[str, object]] = {"paper": as_printed(paper_row(STANDARD), BY_EXAMPLES)}
    for least in LEAST_EXAMPLES:
        table[f"at least {least} examples"] = as_measured(found.standard_medians(least), BY_EXAMPLES)
    return book_table("least-examples", table)


def nearest_settings(found: Reproduction) -> BookTable:
    """The settings that come nearest to the paper's NE row, over all seeds, the paper's row first."""
    return _settings("nearest-settings", found, misses(found.rows[found.rows["name"] != STANDARD]))


def by_start(found: Reproduction) -> BookTable:
    """The nearest setting for each start of the loss, over the seeds of the search, the paper's row first."""
    means = misses(found.tried)
    nearest: dict[int, str] = {}
    for name in map(str, means.index):
        nearest.setdefault(found.configs[name].ne_start, name)
    return _settings("by-start", found, means.loc[[nearest[start] for start in sorted(nearest)]])


def _beside_the_paper(name: str, found: Reproduction, columns: Sequence[str]) -> BookTable:
    table: dict[str, dict[str, object]] = {}
    for row in (STANDARD, WITH_LOSS):
        table[f"{row}, paper"] = dict.fromkeys((TABLE_COLUMNS[c].title for c in columns), "")
        table[f"{row}, paper"] |= as_printed(paper_row(row), [c for c in columns if c in PAPER_COLUMNS])
        mine = zip(columns, as_measured(found.row(row), columns).items(), strict=True)
        table[f"{row}, this build"] = {title: Quantity(quantity_name(row, c), spread) for c, (title, spread) in mine}
    return book_table(name, table)


def _settings(name: str, found: Reproduction, means: pd.DataFrame) -> BookTable:
    """Settings with their figures, below the paper's."""
    rows = {"paper": _setting("?", SaeConfig()) | as_printed(paper_row(WITH_LOSS)) | {"factor": ""}}
    for number, figures in enumerate(means.reset_index().to_dict("records"), start=1):
        config = found.configs[figures["name"]]
        mine = as_printed({c: float(figures[c]) for c in PAPER_COLUMNS})
        rows[f"{number}"] = _setting(exact(config.ne), config) | mine | {"factor": float(figures["factor"])}
    return book_table(name, rows)


def _setting(ne: object, config: SaeConfig) -> dict[str, object]:
    return {"λ₂": ne, "start": config.ne_start, "m": exact(config.momentum), "sum over": config.ne_over}


def _written(value: object) -> str:
    """A setting as a word, since no two in a column are of one kind."""
    return np.format_float_positional(value, trim="-") if isinstance(value, float) else f"{value}"
