"""Tables 2 and 3 beside the paper's, in words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from nbkit.mnist.mlp import RECIPE
from nbkit.studies.sae_tables.reproduction import BY_EXAMPLES, LEAST_EXAMPLES, Reproduction, misses
from nbkit.studies.shared.paper import COLUMNS, STANDARD, WITH_LOSS, paper_row
from nbkit.studies.shared.text import Text

TABLE_2, TABLE_3 = COLUMNS[:4], COLUMNS[4:]


class Column(NamedTuple):
    """How a figure is written."""

    title: str
    digits: int
    """Decimals here, where a deviation over seeds says how much they are worth."""
    paper_digits: int = 0
    """Decimals in the paper."""


TITLED = {
    "mse": Column("MSE", 3, 2),
    "l1": Column("L1", 0, 0),
    "l0": Column("L0 / %", 2, 1),
    "accuracy_loss": Column("acc. loss / %", 2, 1),
    "max_distance": Column("max dist", 3, 2),
    "mean_distance": Column("mean dist", 3, 2),
    "size": Column("size", 1, 0),
    "dead": Column("dead / %", 1, 1),
    "dead_strict": Column("never active / %", 1),
    "max_other": Column("max dist, another latent's weights", 3),
    "mean_other": Column("mean dist, another latent's weights", 3),
    "mean_random": Column("mean dist, random images", 3),
    "participation": Column("hidden neurons read", 1),
}
CONTROLLED = ("max_distance", "max_other", "mean_distance", "mean_other", "mean_random", "participation")
PAPER_ROUNDING = {**{name: 0.5 * 10 ** -TITLED[name].paper_digits for name in COLUMNS}, "l1": 50.0}
"""Half a unit of the last digit that the paper prints; its L1 is in hundreds."""
FIELDS = {
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
            "MLP": _plain(RECIPE.get(name, "")),
            STANDARD: "" if name in OF_THE_LOSS else _plain(getattr(standard, name)),
            WITH_LOSS: _plain(getattr(with_loss, name)),
        }
        for name, title in FIELDS.items()
    }
    table[FIELDS["learning_rate"]]["MLP"] += f", times {RECIPE['falls_by']:g} after each epoch"
    table["dropout"] = {"MLP": _plain(RECIPE["dropout"]), STANDARD: "", WITH_LOSS: ""}
    return pd.DataFrame.from_dict(table, orient="index")


def table_2(found: Reproduction) -> pd.DataFrame:
    """Table 2: the paper's rows, and this build's as mean ± standard deviation over seeds."""
    return _beside_the_paper(found, TABLE_2)


def table_3(found: Reproduction) -> pd.DataFrame:
    """Table 3 in the same way, with dead latents by a second rule."""
    return _beside_the_paper(found, (*TABLE_3, "dead_strict"))


def distance_controls(found: Reproduction) -> pd.DataFrame:
    """The distances of Table 3 beside those with other weights and of other images."""
    return pd.DataFrame.from_dict(
        {row: measured(found.row(row), CONTROLLED) for row in (STANDARD, WITH_LOSS)}, orient="index"
    )


def standard_row(found: Reproduction) -> Text:
    """Which figures of the standard row lie within the paper's rounding or one standard deviation of it."""
    mine, paper = found.row(STANDARD), paper_row(STANDARD)
    near = agreeing(mine, paper)
    text = (
        f"Of the standard row's {len(COLUMNS)} figures **{len(near)}** lie within the paper's rounding or one standard "
        f"deviation over {mine['seed'].nunique()} seeds"
    )
    if near:
        text += f" ({listed(near)})"
    if far := [f"{short(c)} {_gap(mine[c], paper[c])}" for c in COLUMNS if c not in near]:
        text += f". The others: {', '.join(far)}"
    return Text(text + f". The MLPs' accuracy is {spread(mine['accuracy'] + mine['accuracy_loss'], 2)}%.")


def fresh_seeds(found: Reproduction) -> Text:
    """How near both rows come with the seeds that no choice was made by, beside the others."""
    fresh, paper = found.fresh, paper_row(STANDARD)
    mine = {row: fresh[fresh["name"] == (row if row == STANDARD else found.nearest)] for row in (STANDARD, WITH_LOSS)}

    def missed(row: str) -> str:
        now, before = (misses(rows, row)["factor"].iloc[0] for rows in (mine[row], found.row(row)))
        return f"by a factor of **{now:.2f}** on average (before: {before:.2f})"

    return Text(
        f"With {fresh['seed'].nunique()} other seeds, {fresh['seed'].min()} to {fresh['seed'].max()}, "
        f"{len(agreeing(mine[STANDARD], paper))} of the {len(COLUMNS)} lie within the paper's rounding or one standard "
        f"deviation. The standard row then misses the paper's figures {missed(STANDARD)}, the row with the loss "
        f"{missed(WITH_LOSS)}."
    )


def least_examples(found: Reproduction) -> pd.DataFrame:
    """The medians of Table 3's standard row over the latents with at least so many examples."""
    table = {"paper": printed(paper_row(STANDARD), BY_EXAMPLES)}
    for least in LEAST_EXAMPLES:
        table[f"at least {least} examples"] = measured(_of_latents_with(found, least), BY_EXAMPLES)
    return pd.DataFrame.from_dict(table, orient="index")


def which_latents(found: Reproduction) -> Text:
    """With how many examples at least the three medians come nearest to the paper's, and whether they agree."""
    paper = paper_row(STANDARD)

    def miss(least: int) -> float:
        mine = _of_latents_with(found, least)
        return sum(abs(float(np.log(mine[c].mean() / paper[c]))) for c in BY_EXAMPLES)

    nearest = min(LEAST_EXAMPLES, key=miss)
    near = agreeing(_of_latents_with(found, nearest), paper, BY_EXAMPLES)
    return Text(
        f"With at least **{nearest}** examples the three medians are nearest to the paper's. Within its rounding or "
        f"one standard deviation then: {listed(near) if near else 'none of them'}."
    )


def what_distances_say(found: Reproduction) -> Text:
    """How the mean distance falls with the loss, and how those of the controls do."""
    standard, with_loss = (found.row(row)[list(CONTROLLED)].mean().to_dict() for row in (STANDARD, WITH_LOSS))

    def moved(column: str) -> str:
        change = with_loss[column] / standard[column]
        return f"from {standard[column]:.3f} to {with_loss[column]:.3f} (times {change:.2f})"

    return Text(
        f"With the loss the mean distance goes {moved('mean_distance')}. The same images with another latent's "
        f"weights: {moved('mean_other')}; random images with the latent's own weights: {moved('mean_random')}. The "
        f"number of hidden neurons that the median latent reads goes from {standard['participation']:.1f} to "
        f"{with_loss['participation']:.1f}."
    )


def agreeing(mine: pd.DataFrame, paper: Mapping[str, float], columns: Sequence[str] = COLUMNS) -> list[str]:
    """The columns whose mean lies within the paper's rounding or one standard deviation of the paper's figure."""
    return [c for c in columns if abs(mine[c].mean() - paper[c]) <= max(PAPER_ROUNDING[c], mine[c].std())]


def printed(figures: Mapping[str, float], columns: Sequence[str] = COLUMNS) -> dict[str, str]:
    """Figures with the paper's decimals, by title."""
    return {TITLED[c].title: f"{figures[c]:,.{TITLED[c].paper_digits}f}" for c in columns}


def measured(rows: pd.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Figures over seeds, by title."""
    return {TITLED[c].title: spread(rows[c], TITLED[c].digits) for c in columns}


def spread(values: pd.Series, digits: int) -> str:
    """Mean ± standard deviation."""
    return f"{values.mean():,.{digits}f} ± {values.std():,.{digits}f}"


def short(column: str) -> str:
    """A title without its unit."""
    return TITLED[column].title.removesuffix(" / %")


def listed(columns: Sequence[str]) -> str:
    """Titles in a sentence."""
    return ", ".join(map(short, columns))


def _beside_the_paper(found: Reproduction, columns: Sequence[str]) -> pd.DataFrame:
    table = {}
    for row in (STANDARD, WITH_LOSS):
        table[f"{row}, paper"] = dict.fromkeys((TITLED[c].title for c in columns), "")
        table[f"{row}, paper"] |= printed(paper_row(row), [c for c in columns if c in COLUMNS])
        table[f"{row}, this build"] = measured(found.row(row), columns)
    return pd.DataFrame.from_dict(table, orient="index")


def _of_latents_with(found: Reproduction, least: int) -> pd.DataFrame:
    """The medians of the standard row over the latents with at least so many examples, under their plain names."""
    return found.row(STANDARD)[[f"{c}_{least}" for c in BY_EXAMPLES]].set_axis(list(BY_EXAMPLES), axis=1)


def _gap(mine: pd.Series, paper: float) -> str:
    gap = float(mine.mean()) - paper
    size = f"{abs(gap) / mine.std():.1f} standard deviations" if mine.std() > 0 else f"{abs(gap):.3g}"
    return f"{'below' if gap < 0 else 'above'} it by {size}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value}"
