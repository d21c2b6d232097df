"""The wall time of a large run over its workers, and what it is made of."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from nbkit.figures.palette import ALONE, CLUSTER_COLORS, INK
from nbkit.figures.style import WIDTH, BookFigure, styled
from nbkit.studies.large_run.findings import HOUR, Plan
from nbkit.studies.large_run.workers import PARTS

PART_MARKERS = dict(zip(PARTS, "o>^sDvPX<", strict=True))
PART_COLORS = dict(zip(PARTS, CLUSTER_COLORS, strict=False))


@styled(
    "Wall time of a run over its number of workers, a panel for each kind of worker; the mark tells the bottleneck."
)
def wall_time(plans: Sequence[Plan]) -> Figure:
    """Wall time of a run by number and kind of workers.

    The dotted line is the first run's time, shared equally by all workers.

    Args:
        plans: of the same work.
    """
    figure = BookFigure(figsize=(WIDTH, 3.2))
    axes = figure.subplots(1, len(plans), sharey=True, squeeze=False)[0]
    handles, rows = {}, []
    for ax, plan in zip(axes, plans, strict=True):
        workers = [run.cluster.n_workers for run in plan.runs]
        hours = [run.hours for run in plan.runs]
        ax.plot(workers, hours, color=INK, linewidth=1)
        shared = [hours[0] * workers[0] / n for n in workers]
        [handles["equally shared"]] = ax.plot(workers, shared, ":", color=ALONE)
        for part in PARTS:
            mine = [place for place, run in enumerate(plan.runs) if run.bottleneck == part]
            if mine:
                x, y = [workers[place] for place in mine], [hours[place] for place in mine]
                [handles[part]] = ax.plot(x, y, PART_MARKERS[part], color=PART_COLORS[part], markersize=7)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_title(plan.each.name)
        ax.set_xlabel("workers")
        ax.grid(visible=True)
        rows += [
            {
                "worker": plan.each.name,
                "workers": run.cluster.n_workers,
                "wall time (h)": run.hours,
                **{f"{part} (h)": run.parts[part] / HOUR for part in PARTS},
                "bottleneck": run.bottleneck,
            }
            for run in plan.runs
        ]
    axes[0].set_ylabel("wall time (h)")
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    figure.data = {"": pd.DataFrame(rows)}
    return figure
