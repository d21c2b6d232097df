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

__all__ = [
    "METRICS",
    "NAMES",
    "Behaviours",
    "Text",
    "behaviours",
    "embedding_spaces",
    "examples_summary",
    "extremes",
    "faithfulness_table",
    "fingerprints",
    "identity",
    "paired_table",
    "paper_and_build",
    "provenance",
    "rare_behaviours",
    "spaces_of",
    "start_page",
    "table1",
]
