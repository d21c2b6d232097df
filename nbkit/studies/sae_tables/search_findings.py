"""The search for the paper's row with the neuron-embedding loss, in words and tables."""

from __future__ import annotations

import pandas as pd

from nbkit.sae.config import SaeConfig
from nbkit.studies.sae_tables.findings import agreeing, listed, printed, short, spread
from nbkit.studies.sae_tables.reproduction import Reproduction, factors, misses, together
from nbkit.studies.shared.paper import COLUMNS, STANDARD, WITH_LOSS, paper_row
from nbkit.studies.shared.text import Text

NEAR = 1.1
"""The factor by which a figure may miss the paper's and still count as reached."""


def with_loss_row(found: Reproduction) -> Text:
    """How near the search came to the paper's NE row, and whether the loss moves each figure as in the paper."""
    mine, standard, paper, before = found.row(WITH_LOSS), found.row(STANDARD), paper_row(WITH_LOSS), paper_row(STANDARD)
    nearest = misses(mine)
    missed = {c: float(factors(nearest)[c].iloc[0]) for c in COLUMNS}
    worst = max(COLUMNS, key=lambda column: missed[column])
    near = agreeing(mine, paper)
    alike = [c for c in COLUMNS if (mine[c].mean() - standard[c].mean()) * (paper[c] - before[c]) > 0]
    config = found.configs[found.nearest]
    return Text(
        f"Of {found.tried['name'].nunique()} settings the nearest is λ₂ = {config.ne:g}, {_said(config)}. It misses "
        f"the paper's figures by a factor of {nearest['factor'].iloc[0]:.2f} on average (geometric mean) and "
        f"**{short(worst)} by {missed[worst]:.2f}**; {len(near)} of {len(COLUMNS)} lie within the paper's rounding or "
        f"one standard deviation"
        + (f" ({listed(near)}). " if near else ". ")
        + f"{len(alike)} of {len(COLUMNS)} figures move as in the paper, from the standard row to this one."
    )


def stated_setting(found: Reproduction) -> Text:
    """How near the paper's NE row the search comes with the start, the momentum and the sum that the paper states."""
    said = _said(SaeConfig())
    if found.stated is None:
        return Text(f"The setting that the paper states ({said}) was not tried.")
    mine = found.rows[found.rows["name"] == found.stated]
    return Text(
        f"With all that the paper states ({said}) the nearest is λ₂ = {found.configs[found.stated].ne:g}. It misses "
        f"the paper's figures by a factor of **{misses(mine)['factor'].iloc[0]:.2f}** on average; its L0 is "
        f"{spread(mine['l0'], 1)}%, the paper's {paper_row(WITH_LOSS)['l0']:.1f}%."
    )


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


def after_the_start(found: Reproduction, course: pd.DataFrame) -> Text:
    """How L0 and the mean distance move once the loss is on.

    Args:
        course: of `nbkit.studies.sae_tables.course.loss_course`, of settings that were tried.
    """
    lines = []
    for name, rows in course.groupby("name", sort=False):
        config = found.configs[str(name)]
        after = rows[rows["step"] >= config.ne_start].to_dict("list")
        l0, distance = after["l0"], after["mean_distance"]
        lines.append(
            f"- *λ₂ = {config.ne:g}, start {config.ne_start}*: L0 goes from {l0[0]:.1f}% to {max(l0):.1f}% at step "
            f"{after['step'][l0.index(max(l0))]} and to {l0[-1]:.1f}% at the end; the mean distance goes from "
            f"{distance[0]:.3f} to {distance[-1]:.3f}."
        )
    return Text("\n".join(lines))


def what_goes_together(found: Reproduction) -> Text:
    """Which of the paper's figures a setting reaches alone, and which two no setting reaches together."""
    means = misses(found.tried)
    best = together(means)
    n_seeds = found.tried["seed"].nunique()
    over = "one seed" if n_seeds == 1 else f"means over {n_seeds} seeds"
    most = int((factors(means) <= NEAR).sum(axis=1).max())
    alone = [c for c in COLUMNS if best[c][c] <= NEAR]
    text = (
        f"At most {most} of the {len(COLUMNS)} figures are within a factor of {NEAR:g} in one setting ({over}). "
        f"Alone some setting reaches {listed(alone) if alone else 'none'}"
    )
    if missed := [f"{short(c)} (nearest: a factor of {best[c][c]:.2f})" for c in COLUMNS if c not in alone]:
        text += f"; none reaches {', '.join(missed)}"
    pairs = [(a, b) for i, a in enumerate(alone) for b in alone[i + 1 :] if best[a][b] > NEAR]
    if not pairs:
        return Text(text + (". Each two of those some setting reaches together." if len(alone) > 1 else "."))
    told = ", ".join(f"{short(a)} with {short(b)} ({best[a][b]:.2f})" for a, b in pairs)
    return Text(text + f". Not together: {told}; in brackets the factor by which the worse of the two is missed.")


def _said(config: SaeConfig) -> str:
    return f"start at step {config.ne_start}, m = {config.momentum:g}, summed over {config.ne_over}"


def _settings(found: Reproduction, means: pd.DataFrame) -> pd.DataFrame:
    """Settings with their figures, below the paper's."""
    rows = [_setting("?", SaeConfig()) | printed(paper_row(WITH_LOSS)) | {"factor": ""}]
    for figures in means.reset_index().to_dict("records"):
        config = found.configs[figures["name"]]
        mine = {c: float(figures[c]) for c in COLUMNS}
        rows.append(_setting(f"{config.ne:g}", config) | printed(mine) | {"factor": f"{figures['factor']:.2f}"})
    return pd.DataFrame(rows, index=["paper", *map(str, range(1, len(rows)))])


def _setting(ne: str, config: SaeConfig) -> dict[str, str]:
    return {"λ₂": ne, "start": f"{config.ne_start}", "m": f"{config.momentum:g}", "sum over": config.ne_over}
