"""The benchmark: contestants on units whose behaviors are known, each beside its control, as one tidy table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nbkit.errors import NbkitError
from nbkit.method.checks import shown
from nbkit.method.truth.contestants import BASELINE, CONTESTANTS, Embed, pre_mlp
from nbkit.method.truth.recovery import Recovery, recovery
from nbkit.method.truth.rules import Cluster
from nbkit.method.truth.unit import LabeledUnit, Unit, locked

BENCHMARK_VERSION = 3
"""Goes up whenever a number of the standard units or a measure changes its meaning; compare tables of one version. In 3
toys came that read with noise, have 10 or 300 examples, or balances of up to 50 to 1."""
WHOSE_WEIGHTS = ("own", "shuffled")
LONGEST_SAID = 150
"""Characters of what went wrong in somebody else's function that are told."""


def benchmark(
    embed: Embed | Mapping[str, Embed] | None = None,
    units: Iterable[LabeledUnit] | None = None,
    cluster: Cluster | None = None,
) -> pd.DataFrame:
    """How well a space tells a unit's behaviors apart, on units where they are known.

    A contestant is a function of a `Unit`, which has `read` (n, d), the vectors that the unit received in n examples,
    `weights` (d,), the weights with which it reads them, and `background`, whose `vectors` (m, d) are of the same
    layer, whatever the unit; on toys also `features`, the true ones, for contestants that show what a perfect
    dictionary would give, and on text `text`, with `keys`, `snippets` and maybe `window` and `attended`, of other
    tokens, `previous`, of the layer before, and `loss_gradient` (elsewhere both are None). The examples come in an
    order that tells nothing. A contestant returns one embedding for each example, (n, anything). It sees no labels. To
    enter one, and compare it with the pre-MLP vector and with itself under another unit's weights::

        def mine(unit):
            return (unit.read - unit.background.vectors.mean(axis=0)) * unit.weights

        board = nbkit.leaderboard(nbkit.benchmark(mine))
        board[board["measure"] == "auc"]

    On units of real models, here merged neurons::

        from nbkit.studies.ground_truth import merged_neurons

        atlas = nbkit.atlas_for("minilm", limit=1500, layers=[2, 4])
        board = nbkit.leaderboard(nbkit.benchmark(mine, merged_neurons(atlas, most=20, layers=[2, 4])))

    Args:
        embed: a contestant, or several by name; the pre-MLP vector is always entered as "pre-MLP". None for all of
            `nbkit.method.truth.contestants`. One that returns None for a unit sits it out.
        units: units with known behaviors, each a `LabeledUnit`; None for `standard_units()` of
            `nbkit.method.truth.standard`: toy networks and null units, always the same ones, a minute's work for one
            contestant. Ambiguous examples are left out before a contestant sees them.
        cluster: the rule from embeddings (n, anything) to clusters (n,) for the measures `ari`, `ami` and `clusters`,
            of all contestants; None for the paper's, average linkage cut at a cosine distance of 0.5; others stand in
            `RULES` of `nbkit.method.truth.rules`. Equal numbers are one cluster, -1 as well. Two rules make two tables.

    Returns:
        One row for each unit, contestant, condition and measure: `version`, `task`, `unit`, `group`, the unit's
        difficulty in columns of their own, `examples`, `ambiguous` (share of the unit's examples that was left out),
        `contestant`, `condition` ("own", or "shuffled": with the weights of another unit of the layer), `measure` (a
        field of `Recovery`) and `value`.

    Raises:
        NbkitError: a contestant or the rule fails, or gives another number of embeddings or clusters than there are
            examples, or what is not finite; a contestant of one's own sits all units out; there are no units, or
            something else is given than functions and units.
    """
    contestants = _entered(embed)
    if cluster is not None and not callable(cluster):
        raise NbkitError(
            f"cluster is {shown(cluster)}: give a function from embeddings (n, anything) to clusters (n,)."
        )
    if units is None:
        from nbkit.method.truth.standard import standard_units

        units = standard_units()
    elif not isinstance(units, Iterable):
        raise NbkitError(f"units are {shown(units)}: give a list of LabeledUnit.")
    rows: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    for unit in units:
        rows += _rows(unit, contestants, cluster)
        if (one := (unit.task, unit.name)) in seen:
            raise NbkitError(f"Two units of task {one[0]} are called {one[1]}: give each a name of its own.")
        seen.add(one)
    if not rows:
        raise NbkitError("There are no units to measure: give some, or None for the standard ones.")
    measured = {row["contestant"] for row in rows}
    known = CONTESTANTS.values()  # of these some need what no unit here has
    if silent := [name for name, one in contestants.items() if name not in measured and one not in known]:
        raise NbkitError(
            f"{silent[0]} gave None for all {len(seen)} units: return one embedding for each example, and None only "
            "for a unit that lacks what is needed."
        )
    return pd.DataFrame(rows)


def _entered(embed: object) -> dict[str, Embed]:
    """The contestants by name."""
    if embed is None:
        return dict(CONTESTANTS)
    entered = {getattr(embed, "__name__", "contestant"): embed} if callable(embed) else embed
    if not isinstance(entered, Mapping) or not all(isinstance(n, str) and callable(e) for n, e in entered.items()):
        raise NbkitError(f"embed is {shown(embed)}: give a function of a Unit, or a dict from names to such functions.")
    if entered.get(BASELINE, pre_mlp) is not pre_mlp:
        raise NbkitError(
            f"A contestant is called {BASELINE}, as the vector that all are compared to: name it otherwise."
        )
    return {BASELINE: pre_mlp, **entered}


def _rows(labeled: LabeledUnit, contestants: Mapping[str, Embed], cluster: Cluster | None) -> Iterator[dict[str, Any]]:
    if not isinstance(labeled, LabeledUnit):
        raise NbkitError(f"units hold {shown(labeled)}: give a list of LabeledUnit.")
    clear = shuffled(labeled.take(~labeled.ambiguous))
    shared = {
        "version": BENCHMARK_VERSION,
        "task": labeled.task,
        "unit": labeled.name,
        "group": labeled.group,
        **labeled.difficulty,
        "examples": len(clear.labels),
        "ambiguous": float(labeled.ambiguous.mean()),
    }
    conditions = _conditions(clear)
    for name, embed in contestants.items():
        own: Any = None
        measured: Recovery | None = None
        for condition, unit in zip(WHOSE_WEIGHTS, conditions, strict=True):
            with _named(f"{name} on {labeled.name}, {condition} weights"):
                embedding = embed(unit)
                if embedding is None:
                    continue
                # a space without weights is its own control
                if measured is None or not np.array_equal(embedding, own):
                    measured = recovery(np.asarray(embedding), clear.labels, cluster, clear.n_behaviors)
                own = embedding if own is None else own
            for measure, value in measured._asdict().items():
                row = {"contestant": name, "condition": condition, "measure": measure, "value": float(value)}
                yield shared | row


def shuffled(labeled: LabeledUnit) -> LabeledUnit:
    """The examples in an order that tells nothing of their labels, always the same for a unit."""
    rng = np.random.default_rng(list(labeled.name.encode()))
    return labeled.take(rng.permutation(len(labeled.labels)))


def _conditions(labeled: LabeledUnit) -> tuple[Unit, Unit]:
    own = replace(labeled.unit, read=locked(labeled.unit.read), weights=locked(labeled.unit.weights))
    return own, replace(own, weights=locked(labeled.other_weights))


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Says where it was that somebody else's function failed, whatever with."""
    try:
        yield
    except NbkitError as error:
        raise NbkitError(f"{where}: {error}") from error
    except Exception as error:
        said = " ".join(str(error).split())[:LONGEST_SAID]
        raise NbkitError(f"{where}: {type(error).__name__}: {said}") from error
