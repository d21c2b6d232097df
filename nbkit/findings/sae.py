"""Tables 2 and 3 beside the paper's, in words and tables."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

import pandas as pd

from nbkit.findings.text import Text
from nbkit.paper_tables import COLUMNS, PAPER, distance_to_paper
from nbkit.training import SaeConfig

TITLES = {
    "mse": "MSE",
    "l1": "L1",
    "l0": "L0 / %",
    "accuracy_loss": "acc. loss / %",
    "max_distance": "max dist",
    "mean_distance": "mean dist",
    "size": "size",
    "dead": "dead / %",
}
DECIMALS = {
    "mse": 2,
    "l1": 0,
    "l0": 1,
    "accuracy_loss": 1,
    "max_distance": 2,
    "mean_distance": 2,
    "size": 0,
    "dead": 1,
}
PAPER_ROUNDING = {**{name: 0.5 * 10**-digits for name, digits in DECIMALS.items()}, "l1": 50.0}
"""Half a unit of the last digit that the paper prints; its L1 is in hundreds."""


def mnist_provenance(profile: str, n_seeds: int, seed: int = 0) -> Text:
    """What made the numbers of a page of the MNIST part."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("nbkit", "torch", "numpy", "scipy"))
    seeds = f"seed {seed}" if n_seeds == 1 else f"one for each seed, {seed} to {seed + n_seeds - 1}"
    return Text(
        f"*Made by profile `{profile}`: MNIST, 60,000 training and 10,000 test images; an MLP 784-64-10, {seeds}; "
        f"float32; {libraries}.*"
    )


def tables_2_and_3(rows: pd.DataFrame) -> pd.DataFrame:
    """The paper's rows and this build's, mean ± standard deviation over seeds.

    Args:
        rows: of `rows_over_seeds`, whose names are those of `PAPER`.
    """
    found = {}
    for name in PAPER.index:
        found[f"{name}, paper"] = {TITLES[c]: f"{PAPER.loc[name, c]:,.{DECIMALS[c]}f}" for c in COLUMNS}
        mine = rows[rows["name"] == name]
        found[f"{name}, this build"] = {
            TITLES[c]: f"{mine[c].mean():,.{DECIMALS[c] + 1}f} ± {mine[c].std():,.{DECIMALS[c] + 1}f}" for c in COLUMNS
        }
    return pd.DataFrame.from_dict(found, orient="index")


def standard_row(rows: pd.DataFrame) -> Text:
    """Which figures of the standard row lie within the paper's rounding or one standard deviation of it."""
    mine, paper = rows[rows["name"] == "standard"], PAPER.loc["standard"]
    gap = (mine[list(COLUMNS)].mean() - paper).abs()
    near = [c for c in COLUMNS if gap[c] <= max(PAPER_ROUNDING[c], mine[c].std())]
    far = [c for c in COLUMNS if c not in near]
    text = f"Of the standard row's {len(COLUMNS)} figures **{len(near)}** lie within the paper's rounding or one "
    text += f"standard deviation over {mine['seed'].nunique()} seeds"
    if far:
        deviations = {c: gap[c] / mine[c].std() for c in far}
        told = ", ".join(f"{TITLES[c]} ({deviations[c]:.1f} standard deviations)" for c in far)
        text += f"; further away: {told}"
    return Text(text + ".")


def nearest_settings(rows: pd.DataFrame, configs: Mapping[str, SaeConfig], n: int = 6) -> pd.DataFrame:
    """The settings that come nearest to the paper's NE row, the paper's row first.

    `factor` is the geometric mean of the factors by which the eight figures miss the paper's.
    """
    means = distance_to_paper(rows).head(n)
    table = means[list(COLUMNS)].rename(columns=TITLES)
    table = pd.concat([PAPER.loc[["+ NE loss"]].rename(columns=TITLES, index={"+ NE loss": "paper"}), table])
    settings = {"paper": ("?", "200", "0.9", "pairs")}
    for name in means.index:
        c = configs[name]
        settings[name] = (f"{c.ne:g}", str(c.ne_start), f"{c.momentum:g}", c.ne_over)
    for place, title in enumerate(("lambda 2", "start", "momentum", "sum over")):
        table.insert(place, title, [settings[name][place] for name in table.index])
    table["factor"] = [1.0, *means["factor"]]
    for column in COLUMNS:
        table[TITLES[column]] = [f"{value:,.{DECIMALS[column]}f}" for value in table[TITLES[column]]]
    table["factor"] = [f"{value:.2f}" for value in table["factor"]]
    return table.reset_index(drop=True).set_index(pd.Index(["paper", *range(1, len(means) + 1)]))


def ne_row(rows: pd.DataFrame, configs: Mapping[str, SaeConfig]) -> Text:
    """How near the search came to the paper's NE row, and which figures no setting reaches together with the others."""
    means = distance_to_paper(rows)
    best, name = means.iloc[0], str(means.index[0])
    ratios = {c: max(best[c] / PAPER.loc["+ NE loss", c], PAPER.loc["+ NE loss", c] / best[c]) for c in COLUMNS}
    worst = max(ratios, key=lambda column: ratios[column])
    c = configs[name]
    return Text(
        f"Of {len(means)} settings the nearest is lambda 2 = {c.ne:g}, start at step {c.ne_start}, momentum "
        f"{c.momentum:g}, summed over {c.ne_over}: it misses the paper's figures by a factor of {best['factor']:.2f} "
        f"on average, and **{TITLES[worst].split(' /')[0]} by {ratios[worst]:.2f}**. "
        + ("All eight agree within a tenth." if ratios[worst] <= 1.1 else "No setting gives all eight.")
    )
