"""What `where_to_cut` says: differences between ways to cut, and the figure and tables that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbkit.figures.palette import CLUSTER_COLORS, QUIET
from nbkit.figures.style import WIDTH, BookFigure, set_heading, styled
from nbkit.studies.ground_truth.findings import TASKS, share_apart
from nbkit.studies.ground_truth.tree_cuts import CHANCE, CUT_SPACES, CUTS, FIXED, SILHOUETTE
from nbkit.studies.shared.estimate import UNDEFINED, Difference, Estimate
from nbkit.studies.shared.table import BookTable
from nbkit.studies.shared.words import listed

Place = tuple[str, str]
"""A space and a way to cut."""
PAPERS_PLACE: Place = ("paper's", FIXED)
CUT_PANELS_IN_A_ROW = 3
CUT_MARKS = {FIXED: ("s", QUIET), CHANCE: ("o", CLUSTER_COLORS[0]), SILHOUETTE: ("D", CLUSTER_COLORS[1])}


@dataclass(frozen=True)
class Compared:
    """The adjusted Rand index of a space cut in one way minus that of another, on the same units; by title of task."""

    by_task: Mapping[str, Difference]

    @property
    def above(self) -> tuple[str, ...]:
        """Tasks in which the whole interval is above zero."""
        return tuple(task for task, found in self.by_task.items() if found.sign > 0)

    @property
    def below(self) -> tuple[str, ...]:
        """Tasks in which it is below zero."""
        return tuple(task for task, found in self.by_task.items() if found.sign < 0)


@dataclass(frozen=True, eq=False)
class Cutting:
    """What is better, by the adjusted Rand index."""

    wide: pd.DataFrame
    """That of a unit in a row, of a space cut in one way in a column."""

    @property
    def tasks(self) -> int:
        """How many there are."""
        return len(_tasks(self.wide))

    def by_chance(self, space: str, other: str, rule: str = FIXED) -> Compared:
        """A space, cut by chance, against another or the same, cut by a rule."""
        differences = {
            title: Difference.over_groups(rows[space, CHANCE] - rows[other, rule])
            for title, rows in _tasks(self.wide).items()
        }
        return Compared(differences)


def cutting(table: pd.DataFrame) -> Cutting:
    """What a table of `where_to_cut` says."""
    return Cutting(_wide(table))


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    """The adjusted Rand index of a unit in a row, of a space cut in one way in a column."""
    known = table[table["task"].isin(list(TASKS))]
    return known.pivot_table(index=["task", "group", "unit"], columns=["space", "rule"], values="ari")


def _tasks(wide: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each task, by its title."""
    there = set(wide.index.get_level_values("task"))
    return {title: wide.loc[[task]] for task, title in TASKS.items() if task in there}


@styled("The adjusted Rand index by task, space and way to cut, with intervals over groups.")
def cuts(table: pd.DataFrame) -> Figure:
    """The adjusted Rand index by task, space and way to cut, with intervals over groups.

    Args:
        table: of `where_to_cut`.
    """
    tasks = _tasks(_wide(table))
    n_rows = -(-len(tasks) // CUT_PANELS_IN_A_ROW)
    figure = BookFigure(figsize=(WIDTH, n_rows * (0.8 + 0.3 * len(CUT_SPACES))))
    axes = figure.subplots(n_rows, CUT_PANELS_IN_A_ROW, sharey=True, squeeze=False)
    shown = []
    for ax, (title, rows) in zip(axes.flat, tasks.items(), strict=False):
        for place, space in enumerate(CUT_SPACES):
            for shift, (rule, (marker, color)) in zip((-0.22, 0.0, 0.22), CUT_MARKS.items(), strict=True):
                found = Estimate.over_groups(rows[space, rule])
                ax.hlines(place + shift, found.low, found.high, color=color, linewidth=2, alpha=0.5)
                ax.plot(found.value, place + shift, marker, color=color, markersize=4)
                shown.append((title, space, rule, found.value, found.low, found.high))
        ax.set_title(title)
        ax.set_xlabel(f"{len(rows)} units")
        ax.set_xlim(-0.1, 1.05)
        ax.grid(visible=True, axis="x")
    for ax in axes.flat[len(tasks) :]:
        ax.set_axis_off()
    axes[0, 0].set_yticks(range(len(CUT_SPACES)), list(CUT_SPACES))
    axes[0, 0].set_ylim(len(CUT_SPACES) - 0.5, -0.5)
    marks = [
        Line2D([], [], marker=marker, color=color, linewidth=2, label=f"cut {rule}")
        for rule, (marker, color) in CUT_MARKS.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    set_heading(figure, "Adjusted Rand index by where the tree is cut")
    figure.data = {"": pd.DataFrame(shown, columns=["task", "space", "cut", "mean", "low", "high"])}
    return figure


def cuts_table(table: pd.DataFrame, spaces: Sequence[str]) -> BookTable:
    """Of each space and task the adjusted Rand index at the cut that chance tells, the median of that cut, and what it
    is above the other ways to cut."""
    wide, chosen = _wide(table), table[table["rule"] == CHANCE].set_index(["space", "task"])["cut"]
    at = {title: task for task, title in TASKS.items()}
    cells = {
        (space, title): {
            CHANCE: Estimate.over_groups(rows[space, CHANCE]),
            "cut, median": float(chosen.loc[[(space, at[title])]].median()),
            "over 0.5": Difference.over_groups(rows[space, CHANCE] - rows[space, FIXED]),
            "over silhouette": Difference.over_groups(rows[space, CHANCE] - rows[space, SILHOUETTE]),
            "over the paper's at 0.5": Difference.over_groups(rows[space, CHANCE] - rows[PAPERS_PLACE]),
            "groups": rows.index.get_level_values("group").nunique(),
        }
        for space in spaces
        for title, rows in _tasks(wide).items()
    }
    frame = pd.DataFrame(list(cells.values()), index=pd.MultiIndex.from_tuples(list(cells)))
    return BookTable("where-to-cut", frame, {"groups": 0}, as_half=True)


def nearer_table(found: Cutting, against: Sequence[tuple[str, str, str]]) -> BookTable:
    """Tasks in which a space cut by chance is nearer to the truth, or farther, with the whole interval.

    Args:
        found: what a table says.
        against: the space, the other space, and where that is cut.
    """
    cells = {}
    for space, other, rule in against:
        compared = found.by_chance(space, other, rule)
        nearer, farther = (listed(tasks, UNDEFINED) for tasks in (compared.above, compared.below))
        cells[f"{space} {CHANCE}", f"than {other} {rule}"] = {"nearer in": nearer, "farther in": farther}
    frame = pd.DataFrame(list(cells.values()), index=pd.MultiIndex.from_tuples(list(cells)))
    return BookTable("nearer", frame)


def one_behavior_table(table: pd.DataFrame) -> BookTable:
    """How often one behavior of a toy falls apart, by space, way to cut and number of examples: the share of null units
    with more than one cluster, with an interval over toys."""
    nulls = table[table["task"] == "null"]
    cells = {}
    for space in CUT_SPACES:
        for rule in CUTS:
            mine = nulls[(nulls["space"] == space) & (nulls["rule"] == rule)]
            cells[space, rule] = {
                f"{size} examples": share_apart(part.set_index("group")["clusters"])
                for size, part in mine.groupby("examples")
            }
    frame = pd.DataFrame(list(cells.values()), index=pd.MultiIndex.from_tuples(list(cells)))
    return BookTable("one-behavior", frame, as_half=True)
