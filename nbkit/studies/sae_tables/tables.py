"""Tables 2 and 3 beside the paper's, their controls, and the settings of the search, for the eye."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from nbkit.mnist.mlp import MLP_RECIPE
from nbkit.sae.config import SaeConfig
from nbkit.studies.sae_tables.columns import TABLE_COLUMNS, as_measured, as_printed
from nbkit.studies.sae_tables.reproduction import BY_EXAMPLES, LEAST_EXAMPLES, Reproduction, misses
from nbkit.studies.shared.paper import PAPER_COLUMNS, STANDARD, WITH_LOSS, paper_row

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


def hyperparameters(found: Reproduction) -> pd.DataFrame:
    """What the MLP and both autoencoders were trained with."""
    standard, with_loss = found.configs[STANDARD], found.configs[found.nearest]
    table = {"optimizer": {"MLP": "Adadelta", STANDARD: "Adam", WITH_LOSS: "Adam"}}
    table |= {
        title: {
            "MLP": _plain(MLP_RECIPE.get(name, "")),
            STANDARD: "" if name in OF_THE_LOSS else _plain(getattr(standard, name)),
            WITH_LOSS: _plain(getattr(with_loss, name)),
        }
        for name, title in CONFIG_TITLES.items()
    }
    table[CONFIG_TITLES["learning_rate"]]["MLP"] += f", times {MLP_RECIPE['falls_by']:g} after each epoch"
    table["dropout"] = {"MLP": _plain(MLP_RECIPE["dropout"]), STANDARD: "", WITH_LOSS: ""}
    return pd.DataFrame.from_dict(table, orient="index")


def table_2(found: Reproduction) -> pd.DataFrame:
    """Table 2: the paper's rows, and this build's as mean ± standard deviation over seeds."""
    return _beside_the_paper(found, TABLE_2)


def table_3(found: Reproduction) -> pd.DataFrame:
    """Table 3: the paper's rows, and this build's as mean ± standard deviation over seeds, with dead latents by a
    second rule."""
    return _beside_the_paper(found, (*TABLE_3, "dead_strict"))


def distance_controls(found: Reproduction) -> pd.DataFrame:
    """The distances of Table 3 beside those with other weights and of other images."""
    rows = {row: as_measured(found.row(row), CONTROLLED) for row in (STANDARD, WITH_LOSS)}
    return pd.DataFrame.from_dict(rows, orient="index")


def least_examples(found: Reproduction) -> pd.DataFrame:
    """The medians of Table 3's standard row over the latents with at least so many examples."""
    table = {"paper": as_printed(paper_row(STANDARD), BY_EXAMPLES)}
    for least in LEAST_EXAMPLES:
        table[f"at least {least} examples"] = as_measured(found.standard_medians(least), BY_EXAMPLES)
    return pd.DataFrame.from_dict(table, orient="index")


def nearest_settings(found: Reproduction) -> pd.DataFrame:
    """The settings that come nearest to the paper's NE row, over all seeds, the paper's row first."""
    return _settings(found, misses(found.rows[found.rows["name"] != STANDARD]))


def by_start(found: Reproduction) -> pd.DataFrame:
    """The nearest setting for each start of the loss, over the seeds of the search, the paper's row first."""
    means = misses(found.tried)
    nearest: dict[int, str] = {}
    for name in map(str, means.index):
        nearest.setdefault(found.configs[name].ne_start, name)
    return _settings(found, means.loc[[nearest[start] for start in sorted(nearest)]])


def _beside_the_paper(found: Reproduction, columns: Sequence[str]) -> pd.DataFrame:
    table = {}
    for row in (STANDARD, WITH_LOSS):
        table[f"{row}, paper"] = dict.fromkeys((TABLE_COLUMNS[c].title for c in columns), "")
        table[f"{row}, paper"] |= as_printed(paper_row(row), [c for c in columns if c in PAPER_COLUMNS])
        table[f"{row}, this build"] = as_measured(found.row(row), columns)
    return pd.DataFrame.from_dict(table, orient="index")


def _settings(found: Reproduction, means: pd.DataFrame) -> pd.DataFrame:
    """Settings with their figures, below the paper's."""
    rows = [_setting("?", SaeConfig()) | as_printed(paper_row(WITH_LOSS)) | {"factor": ""}]
    for figures in means.reset_index().to_dict("records"):
        config = found.configs[figures["name"]]
        mine = {c: float(figures[c]) for c in PAPER_COLUMNS}
        rows.append(_setting(f"{config.ne:g}", config) | as_printed(mine) | {"factor": f"{figures['factor']:.2f}"})
    return pd.DataFrame(rows, index=["paper", *map(str, range(1, len(rows)))])


def _setting(ne: str, config: SaeConfig) -> dict[str, str]:
    return {"λ₂": ne, "start": f"{config.ne_start}", "m": f"{config.momentum:g}", "sum over": config.ne_over}


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value}"
