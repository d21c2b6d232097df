"""Dead latents: what each change of the training leaves of them, and how they die."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbkit.figures.palette import ALONE, CLUSTER_COLORS, INK, QUIET
from nbkit.figures.style import WIDTH, BookFigure, styled
from nbkit.method.intervals import mean_interval
from nbkit.studies.dead_latents.experiment import DeadLatents
from nbkit.studies.dead_latents.variants import NE, VARIANTS

COUNTED = {
    name: (variant.title, marker, color)
    for (name, variant), marker, color in zip(
        ((name, variant) for name, variant in VARIANTS.items() if variant.counted),
        ("o", "s", "^"),
        (INK, CLUSTER_COLORS[0], ALONE),
        strict=True,
    )
}

BY_VARIANT = (
    "question",
    "run",
    "λ₂ of the NE loss",
    "dead latents (%), mean over seeds",
    "95% interval from",
    "95% interval to",
)
COURSE = {
    "dead": "dead latents (%)",
    "length_doomed": "median length of encoder weights, latents that die in the standard run",
    "length_spared": "median length of encoder weights, the others",
}


@styled("The dead share of every variant, with its 95% interval over seeds, by question.")
def dead_by_variant(found: DeadLatents) -> Figure:
    """Dead latents by variant of the training.

    Lines stand at the standard run and at that with the NE loss.
    """
    questions = list(found.questions.values())
    n_rows = sum(1 + len(question.variants) for question in questions)
    figure = BookFigure(figsize=(WIDTH, 0.6 + 0.21 * n_rows))
    ax = figure.subplots()
    for name, color in (("standard", INK), ("ne", CLUSTER_COLORS[0])):
        ax.axvline(found.mean(name), color=color, linewidth=0.9, linestyle="--")
    place, ticks, labels, shown = 0, [], [], []
    for question in questions:
        ticks.append(place)
        labels.append(question.title)
        place += 1
        for name, variant in question.variants.items():
            mean, low, high = mean_interval(found.values(name))
            shown.append((question.title, variant.title, variant.config.ne, mean, low, high))
            color = CLUSTER_COLORS[0] if variant.config.ne > 0 else INK
            ax.hlines(place, low, high, color=color, linewidth=2.2, alpha=0.5)
            ax.plot(mean, place, "o", color=color, markerfacecolor=color if variant.config.ne > 0 else "white")
            ticks.append(place)
            labels.append(variant.title)
            place += 1
    ax.set_yticks(ticks, labels)
    heads = {question.title for question in questions}
    for tick, label in zip(ax.yaxis.get_major_ticks(), labels, strict=True):
        if label in heads:
            tick.label1.set_fontweight("bold")
        tick.tick1line.set_visible(label not in heads)
    ax.set_ylim(place - 0.4, -0.6)
    ax.set_xlim(left=0)
    ax.set_xlabel("dead latents / %")
    ax.grid(visible=True, axis="x")
    looks = (("without the NE loss", INK, "white"), ("with it", CLUSTER_COLORS[0], CLUSTER_COLORS[0]))
    handles = [
        Line2D([], [], marker="o", color=color, markerfacecolor=face, linewidth=2.2, label=label)
        for label, color, face in looks
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    figure.data = {"": pd.DataFrame(shown, columns=list(BY_VARIANT))}
    return figure


@styled("The dead share, and the lengths of encoder weights, while training.")
def dead_over_training(found: DeadLatents) -> Figure:
    """Dead latents, and the lengths of encoder weights, over the steps of the training.

    Lengths are medians over the latents that are dead at the end of the standard run, and over the others. All are
    means over seeds.
    """
    figure = BookFigure(figsize=(WIDTH, 3.2))
    left, right = figure.subplots(1, 2)
    shown: list[pd.DataFrame] = []
    for name, (title, marker, color) in COUNTED.items():
        mine = found.course[found.course["variant"] == name]
        if mine.empty:
            continue
        means = mine.groupby("step")[list(COURSE)].mean()
        shown.append(means.rename(columns=COURSE).reset_index().assign(run=title))
        look = {"marker": marker, "color": color, "markersize": 3.5}
        left.plot(means.index, means["dead"], label=title, **look)
        right.plot(means.index, means["length_doomed"], **look)
        right.plot(means.index, means["length_spared"], linestyle=":", **look)
    for ax in (left, right):
        ax.axvline(NE.ne_start, color=QUIET, linewidth=0.8, linestyle="--")
        ax.set_xlabel("step")
        ax.grid(visible=True)
    left.set_ylim(bottom=0)
    left.set_ylabel("dead latents / %")
    right.set_yscale("log")
    right.set_ylabel("length of encoder weights")
    handles, labels = left.get_legend_handles_labels()
    handles += [Line2D([], [], color=QUIET, linestyle=style) for style in ("-", ":")]
    labels += ["die in the standard run", "the others"]
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    figure.data = {"": pd.concat(shown, ignore_index=True)[["run", "step", *COURSE.values()]]} if shown else {}
    return figure
