"""Sentences and small tables with the numbers of a run, for the pages."""

from nbkit.findings.neurons import (
    Behaviours,
    behaviours,
    examples_summary,
    extremes,
    faithfulness_table,
    fingerprints,
    identity,
    paper_and_build,
    provenance,
    rare_behaviours,
    start_page,
)
from nbkit.findings.spaces import METRICS, NAMES, embedding_spaces, paired_table, spaces_of, table1
from nbkit.findings.text import Text
from nbkit.findings.trade_off import (
    compared,
    left_out,
    matched_answer,
    matched_table,
    sweep_ranges,
    what_is_read,
)

__all__ = [
    "METRICS",
    "NAMES",
    "Behaviours",
    "Text",
    "behaviours",
    "compared",
    "embedding_spaces",
    "examples_summary",
    "extremes",
    "faithfulness_table",
    "fingerprints",
    "identity",
    "left_out",
    "matched_answer",
    "matched_table",
    "paired_table",
    "paper_and_build",
    "provenance",
    "rare_behaviours",
    "spaces_of",
    "start_page",
    "sweep_ranges",
    "table1",
    "what_is_read",
]
