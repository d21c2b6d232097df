"""What the rule makes of a space: the rules of `nbkit.method.truth.rules` on toys, and on one behavior alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd

from nbkit.method.clusters import feature_clusters
from nbkit.method.metrics import adjusted_rand_index
from nbkit.method.truth.benchmark import BENCHMARK_VERSION
from nbkit.method.truth.contestants import CONTESTANTS, Embed
from nbkit.method.truth.recovery import with_directions
from nbkit.method.truth.rules import RULES
from nbkit.method.truth.standard import PLAIN, nulls_of
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.parallel.pool import in_processes
from nbkit.studies.ground_truth.tree_cuts import chance_cut_of
from nbkit.studies.shared.estimate import Estimate
from nbkit.studies.shared.kept_tables import kept_table
from nbkit.studies.shared.learned import LEARNED
from nbkit.studies.shared.table import BookTable

RULES_RECIPE = 2
"""Goes up when a number changes its meaning."""
RULE_SPACES: Mapping[str, Embed] = {
    name: {**CONTESTANTS, **LEARNED}[name] for name in ("pre-MLP", "paper's", "features", "centered + features")
}
BY_CHANCE = "average linkage by chance"
"""The rule that sees more than the embeddings: those of the layer's vectors, see `nbkit.chance_cut`."""
NULL_SIZE = 100
"""Examples of the one behavior."""


def rules_on_toys(toys: int = 3, most: int = 8, n_jobs: int = -1, progress: bool = True) -> pd.DataFrame:
    """Cluster the examples of toys' units, and of one behavior alone, by every rule and where chance cuts.

    Args:
        toys: plain toys.
        most: units of each, and null units of 100 examples.

    Returns:
        One row a unit, space and rule: `task`, `unit`, `group`, `space`, `rule`, `clusters`, and `ari`, the adjusted
        Rand index, NaN of one behavior alone.
    """
    tables: list[pd.DataFrame] = in_processes(
        _of_toy, [(toy, most) for toy in PLAIN[:toys]], n_jobs, "rules", "toy", progress
    )
    return pd.concat(tables, ignore_index=True)


def _of_toy(toy: Toy, most: int) -> pd.DataFrame:
    request = {"recipe": RULES_RECIPE, "version": BENCHMARK_VERSION, "toy": asdict(toy), "most": most}
    return kept_table("ground-truth-rules", request, lambda: _measure(toy, most))


def _measure(toy: Toy, most: int) -> pd.DataFrame:
    nulls = [null for null in nulls_of(toy, most) if len(null.labels) == NULL_SIZE]
    rows = []
    for whole in (*toy_units(toy)[:most], *nulls):
        labeled = whole.take(~whole.ambiguous)
        for space, embed in RULE_SPACES.items():
            embeddings = with_directions(np.asarray(embed(labeled.unit)))
            clusters = {rule: cluster(embeddings) for rule, cluster in RULES.items()}
            clusters[BY_CHANCE] = feature_clusters(embeddings, chance_cut_of(labeled.unit, embed)).labels
            for rule, found in clusters.items():
                ari = np.nan if labeled.null else adjusted_rand_index(labeled.labels, found)
                rows.append((labeled.task, labeled.name, labeled.group, space, rule, len(np.unique(found)), ari))
    return pd.DataFrame(rows, columns=["task", "unit", "group", "space", "rule", "clusters", "ari"])


def rules_table(table: pd.DataFrame) -> BookTable:
    """Adjusted Rand index by rule and space, means over units with intervals over toys; and the number of
    clusters that each rule finds in one behavior alone, medians.

    Args:
        table: of `rules_on_toys`.
    """
    cells: dict[tuple[str, str], dict[str, object]] = {}
    for rule in (*RULES, BY_CHANCE):
        for space in RULE_SPACES:
            mine = table[(table["rule"] == rule) & (table["space"] == space)]
            toys, nulls = mine[mine["task"] == "toy"], mine[mine["task"] == "null"]
            cells["ARI on toys", rule] = cells.get(("ARI on toys", rule), {}) | {
                space: Estimate.over_groups(toys.set_index("group")["ari"])
            }
            cells["clusters of one behavior", rule] = cells.get(("clusters of one behavior", rule), {}) | {
                space: float(nulls["clusters"].median())
            }
    frame = pd.DataFrame(list(cells.values()), index=pd.MultiIndex.from_tuples(list(cells))).sort_index(
        level=0, sort_remaining=False
    )
    return BookTable("rules", frame, as_half=True)
