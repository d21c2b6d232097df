"""Sentences and small tables with the numbers of a run, for the pages."""

from nbkit.findings.dead_latents import (
    dead_and_paper,
    dead_answer,
    dead_fates,
    dead_remedies,
    dead_story,
    dead_table,
)
from nbkit.findings.hidden_layer import hidden_neurons, hidden_spaces_table, mlp_accuracy, what_polysemantic_means
from nbkit.findings.latents import chosen_latents, logit_share, median_latents, what_shrinks
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
from nbkit.findings.sae import mnist_provenance
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
    "chosen_latents",
    "compared",
    "dead_and_paper",
    "dead_answer",
    "dead_fates",
    "dead_remedies",
    "dead_story",
    "dead_table",
    "embedding_spaces",
    "examples_summary",
    "extremes",
    "faithfulness_table",
    "fingerprints",
    "hidden_neurons",
    "hidden_spaces_table",
    "identity",
    "left_out",
    "logit_share",
    "matched_answer",
    "matched_table",
    "median_latents",
    "mlp_accuracy",
    "mnist_provenance",
    "paired_table",
    "paper_and_build",
    "provenance",
    "rare_behaviours",
    "spaces_of",
    "start_page",
    "sweep_ranges",
    "table1",
    "what_is_read",
    "what_polysemantic_means",
    "what_shrinks",
]
