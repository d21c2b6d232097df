"""The sweep of the neuron-embedding loss in words and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from nbkit.sae.loss import Gradient
from nbkit.sae.sweep_columns import ACTIVATIONS, MEASURES, of_kind
from nbkit.studies.shared.text import Text
from nbkit.studies.trade_off.matching import matched_differences

BY = {"l0": "L0", "mse": "MSE"}
"""What autoencoders are matched by."""
PRICE = ("mse", "l0", "accuracy_loss", "dead")
"""What an answer names besides."""
MOSTLY = 2
"""How many times more comparisons speak for than against, or against than for, in a "mostly"."""
UNDEFINED = "–"
GRADIENTS: dict[Gradient, str] = {
    "whole": "whole",
    "average": "through the average alone",
    "opposite": "opposite (control)",
}
"""What the weights feel of the loss, as it is written."""


class Difference(NamedTuple):
    """One row of `matched_differences`."""

    value: float
    low: float
    high: float
    standard: float
    n_seeds: int
    n_points: int
    n_left_out: int
    curve: float


def sweep_ranges(table: pd.DataFrame) -> pd.DataFrame:
    """How many autoencoders there are, and where they lie: from the lowest to the highest mean over seeds."""
    rows = {}
    for (activation, ne), group in table.groupby(["activation", "ne"], sort=False):
        means = group.groupby("sparsity").mean(numeric_only=True)
        name = f"{ACTIVATIONS[str(activation)]}, " + ("standard" if ne == 0 else f"λ₂ = {ne:g}")
        rows[name] = {"autoencoders": len(group)} | {
            MEASURES[metric].title: f"{means[metric].min():.{digits}f} to {means[metric].max():.{digits}f}"
            for metric, digits in (("l0", 1), ("mse", 2), ("accuracy_loss", 1), ("dead", 0), ("size", 0))
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def compared(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`matched_differences` of all measures, at equal L0 and at equal MSE."""
    return {by: matched_differences(table, by, list(MEASURES)) for by in BY}


def matched_table(differences: pd.DataFrame) -> pd.DataFrame:
    """`matched_differences`, all lambda 2 together, for the eye: a row per measure, a column per activation.

    A cell holds the standard curve's value, the difference and its interval.
    """
    better = {1: "higher", -1: "lower", 0: UNDEFINED}
    columns = {ACTIVATIONS[name]: mine for name, mine in _together(differences).items()}
    shown = [metric for metric in MEASURES if any(metric in mine for mine in columns.values())]
    wide = pd.DataFrame({"better": [better[MEASURES[metric].better] for metric in shown]})
    for name, mine in columns.items():
        wide[name] = [_with_standard(metric, mine[metric]) for metric in shown]
    return wide.set_index(pd.Index([MEASURES[metric].title for metric in shown]))


def matched_answer(differences: dict[str, pd.DataFrame]) -> Text:
    """Whether the loss makes latents more monosemantic at equal L0 and at equal MSE, with intervals.

    Args:
        differences: of `compared`.
    """
    parts = []
    for by, table in differences.items():
        together = _together(table)
        lines = [f"- *{ACTIVATIONS[activation]}* {_line(mine)}" for activation, mine in together.items()]
        parts.append(f"{_verdict_of_all(by, together)}\n\n" + "\n".join(lines))
    parts.append("Where there is no difference, one comparison in twenty would still seem to show one.")
    return Text("\n\n".join(parts))


def verdicts(differences: dict[str, pd.DataFrame]) -> Text:
    """`matched_answer` in two sentences."""
    return Text(" ".join(_verdict_of_all(by, _together(table)) for by, table in differences.items()))


def compared_gradients(
    table: pd.DataFrame, others: Mapping[Gradient, pd.DataFrame]
) -> dict[Gradient, dict[str, pd.DataFrame]]:
    """`compared` of the sweep with the whole gradient and of those with others."""
    sweeps: dict[Gradient, pd.DataFrame] = {"whole": table, **others}
    return {gradient: compared(sweep) for gradient, sweep in sweeps.items()}


def by_gradient(compared_by: Mapping[Gradient, dict[str, pd.DataFrame]]) -> pd.DataFrame:
    """How many independent measures are better and worse for each gradient and activation, and what that costs.

    Args:
        compared_by: `compared` of the sweep with each gradient.
    """
    rows = {}
    for gradient, together in _shared(compared_by).items():
        for activation in together["l0"]:
            cells: dict[str, str] = {}
            for by, other in (("l0", "mse"), ("mse", "l0")):
                mine = together[by][activation]
                better, worse, _ = _counted([mine])
                cells |= {
                    f"at equal {BY[by]}: better, worse": f"{better}, {worse}",
                    f"… mean distance ({BY[by]})": _cell("mean_distance", mine["mean_distance"]),
                    f"… {MEASURES[other].title}": _cell(other, mine[other]),
                }
            rows[GRADIENTS[gradient], ACTIVATIONS[activation]] = cells
    return pd.DataFrame.from_dict(rows, orient="index")


def what_gradients_say(compared_by: Mapping[Gradient, dict[str, pd.DataFrame]]) -> Text:
    """What the opposite loss says about each comparison, and whether half of the gradient is better."""
    counted = {
        (gradient, by): _counted(mine.values())
        for gradient, together in _shared(compared_by).items()
        for by, mine in together.items()
    }

    def said(gradient: Gradient, by: str) -> str:
        better, worse, n = counted[gradient, by]
        return f"better in {better} and worse in {worse} of {n} comparisons at equal {BY[by]}"

    lines = [f"- **The opposite loss** is {said('opposite', 'l0')}, and {said('opposite', 'mse')}."]
    for by in BY:
        better, worse, _ = counted["opposite", by]
        if better > worse:
            lines[0] += (
                f" It drives the examples of a latent apart, and is favored all the same: a comparison at equal "
                f"{BY[by]} is no evidence for the loss."
            )
    lines.append(
        f"- **The gradient through the average alone** is {said('average', 'l0')}, and {said('average', 'mse')}; the "
        f"whole gradient is {said('whole', 'l0')}, and {said('whole', 'mse')}."
    )
    return Text("\n".join(lines))


def left_out(differences: dict[str, pd.DataFrame]) -> Text:
    """How many points lay beyond the standard curves, and how far these can be wrong."""
    sentences = []
    for by, table in differences.items():
        together = _together(table)
        points = {ACTIVATIONS[name]: mine["mean_distance"] for name, mine in together.items()}
        told = "; ".join(f"{name} {d.n_points} of {d.n_points + d.n_left_out} points" for name, d in points.items())
        all_of_them = [mine[metric] for mine in together.values() for metric in of_kind("independent")]
        worst = sum(d.curve > abs(d.value) for d in all_of_them)
        sentences.append(
            f"At equal {BY[by]} the standard curves reach, of the points with the loss: {told}. A standard autoencoder "
            f"that is taken out of its curve is missed by more than the difference in {worst} of {len(all_of_them)} "
            f"comparisons on independent measures: there the curve's own error could make the difference."
        )
    return Text("\n\n".join(sentences))


def what_is_read(table: pd.DataFrame, differences: dict[str, pd.DataFrame]) -> Text:
    """How many hidden neurons the latents read, and what is left of the distance once random inputs are counted out."""
    sentences = []
    for activation, mine in _together(differences["l0"]).items():
        rows = table[table["activation"] == activation]
        standard = rows.loc[rows["ne"] == 0, "participation"].mean()
        strongest = rows.loc[rows["ne"] == rows["ne"].max(), "participation"].mean()
        sentences.append(
            f"- *{ACTIVATIONS[activation]}*: the median latent reads {standard:.1f} hidden neurons in standard "
            f"autoencoders and {strongest:.1f} with the largest λ₂. At equal L0 the mean distance over that of random "
            f"inputs is {_phrase('relative_distance', mine['relative_distance'])}."
        )
    return Text("\n".join(sentences))


def _together(table: pd.DataFrame) -> dict[str, dict[str, Difference]]:
    """The rows for all lambda 2 together, by activation and metric."""
    found: dict[str, dict[str, Difference]] = {}
    for row in table[table["ne"] == 0].to_dict("records"):
        fields = {field: row[field] for field in Difference._fields}
        found.setdefault(str(row["activation"]), {})[str(row["metric"])] = Difference(**fields)
    return found


def _shared(
    compared_by: Mapping[Gradient, dict[str, pd.DataFrame]],
) -> dict[Gradient, dict[str, dict[str, dict[str, Difference]]]]:
    """`_together` for each gradient and what is equal, of the activations that all gradients have."""
    found = {g: {by: _together(table) for by, table in tables.items()} for g, tables in compared_by.items()}
    shared = set.intersection(*(set(together["l0"]) for together in found.values()))
    return {
        g: {by: {name: of for name, of in mine.items() if name in shared} for by, mine in together.items()}
        for g, together in found.items()
    }


def _line(mine: Mapping[str, Difference]) -> str:
    """One activation: the loss's own distance, then the other measures by verdict, and what they cost."""
    own = mine["mean_distance"]
    if not np.isfinite(own.value):
        return "has no point inside the standard curve."
    points = f"{own.n_points} point{'s' * (own.n_points != 1)}"
    told = []
    for verdict, word in ((1, "better"), (-1, "worse"), (0, "no measurable difference")):
        of = [MEASURES[m].title for m in of_kind("independent") if _verdict(m, mine[m]) == verdict]
        told += [f"{word} in {', '.join(of)}"] if of else []
    change = max(abs(mine[m].value / mine[m].standard) for m in of_kind("independent") if mine[m].standard)
    prices = [
        f"{MEASURES[m].title} {mine[m].standard:.{MEASURES[m].digits}f} to "
        f"{mine[m].standard + mine[m].value:.{MEASURES[m].digits}f}"
        for m in PRICE
        if m in mine
    ]
    return (
        f"({points}, {own.n_seeds} seeds): its own mean distance, {own.standard:.3f} in standard "
        f"autoencoders, is {_phrase('mean_distance', own)}. Not optimized: {'; '.join(told)}; none of them differs by "
        f"more than {100 * change:.0f}% of its standard value. Besides: {'; '.join(prices)}."
    )


def _verdict_of_all(by: str, together: Mapping[str, Mapping[str, Difference]]) -> str:
    """How many of the intervals of independent measures favor the loss, and how many speak against it."""
    better, worse, n = _counted(together.values())
    if not better and not worse:
        said = "no measurable difference"
    elif not worse:
        said = "yes, wherever a difference can be measured"
    elif not better:
        said = "no, less so wherever a difference can be measured"
    elif better >= MOSTLY * worse:
        said = "mostly yes"
    elif worse >= MOSTLY * better:
        said = "mostly no"
    else:
        said = "it depends on the measure"
    return (
        f"**More monosemantic at equal {BY[by]}? {said[0].upper()}{said[1:]}.** Of {n} comparisons on independent "
        f"measures {better} favor the loss, {worse} speak against it and {n - better - worse} cannot tell."
    )


def _counted(together: Iterable[Mapping[str, Difference]]) -> tuple[int, int, int]:
    """How many comparisons on independent measures are better and worse, and how many there are."""
    verdicts = [_verdict(metric, mine[metric]) for mine in together for metric in of_kind("independent")]
    return verdicts.count(1), verdicts.count(-1), len(verdicts)


def _verdict(metric: str, d: Difference) -> int:
    """1 if the interval says better, -1 if it says worse, 0 if it holds zero or there is none."""
    if not d.low > 0 and not d.high < 0:
        return 0
    return MEASURES[metric].better * (1 if d.value > 0 else -1)


def _phrase(metric: str, d: Difference) -> str:
    if not np.isfinite(d.low):
        return f"different by {_cell(metric, d)}"
    digits = MEASURES[metric].digits
    interval = f"(95% interval {_signed(d.low, digits)} to {_signed(d.high, digits)})"
    if d.low <= 0 <= d.high:
        return f"not measurably different, {_signed(d.value, digits)} {interval}"
    return f"{'higher' if d.value > 0 else 'lower'} by {abs(d.value):.{digits}f} {interval}"


def _with_standard(metric: str, d: Difference) -> str:
    if not np.isfinite(d.value):
        return UNDEFINED
    return f"{d.standard:.{MEASURES[metric].digits}f}; {_cell(metric, d)}"


def _cell(metric: str, d: Difference) -> str:
    digits = MEASURES[metric].digits
    if not np.isfinite(d.value):
        return UNDEFINED
    if not np.isfinite(d.low):
        return f"{_signed(d.value, digits)} (one seed)"
    return f"{_signed(d.value, digits)} ({_signed(d.low, digits)} to {_signed(d.high, digits)})"


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")
