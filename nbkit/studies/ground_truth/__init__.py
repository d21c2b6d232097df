"""Ground truth: the benchmark of `nbkit.method.truth` on units of real models, and contestants that learn a basis."""

from nbkit.studies.ground_truth.contest_parts import ContestSize, contest, contest_units, two_models
from nbkit.studies.ground_truth.cut_findings import cuts, cuts_table, cutting, nearer_table, one_behavior_table
from nbkit.studies.ground_truth.difficulty import by_difficulty, difficulty_table
from nbkit.studies.ground_truth.drawn_neurons import real_neurons
from nbkit.studies.ground_truth.figures import leads, told_and_changed
from nbkit.studies.ground_truth.findings import TASKS, clusters_found, compared_table, null_table, standing
from nbkit.studies.ground_truth.form_or_meaning import form_or_meaning
from nbkit.studies.ground_truth.goal import goal_of
from nbkit.studies.ground_truth.images import image_units
from nbkit.studies.ground_truth.merged import merged_neurons
from nbkit.studies.ground_truth.prediction_and_cause import (
    effects,
    effects_table,
    shown_table,
    told,
    told_table,
    where_table,
)
from nbkit.studies.ground_truth.published import against_published, published_standing
from nbkit.studies.ground_truth.rules import rules_on_toys, rules_table
from nbkit.studies.ground_truth.tree_cuts import where_to_cut
from nbkit.studies.shared.learned import LEARNED
from nbkit.studies.shared.planted.chosen_contexts import choose_contexts
from nbkit.studies.shared.planted.concepts import concepts_of
from nbkit.studies.shared.planted.labeled_contexts import label_contexts
from nbkit.studies.shared.planted.layers import TextUnits
from nbkit.studies.shared.planted.probe_sums import concept_units, merged_probes
from nbkit.studies.shared.planted.probes import train_probes
from nbkit.studies.shared.planted.senses import sense_units
from nbkit.studies.shared.planted.token_reads import read_layers

__all__ = [
    "LEARNED",
    "TASKS",
    "ContestSize",
    "TextUnits",
    "against_published",
    "by_difficulty",
    "choose_contexts",
    "clusters_found",
    "compared_table",
    "concept_units",
    "concepts_of",
    "contest",
    "contest_units",
    "cuts",
    "cuts_table",
    "cutting",
    "difficulty_table",
    "effects",
    "effects_table",
    "form_or_meaning",
    "goal_of",
    "image_units",
    "label_contexts",
    "leads",
    "merged_neurons",
    "merged_probes",
    "nearer_table",
    "null_table",
    "one_behavior_table",
    "published_standing",
    "read_layers",
    "real_neurons",
    "rules_on_toys",
    "rules_table",
    "sense_units",
    "shown_table",
    "standing",
    "told",
    "told_and_changed",
    "told_table",
    "train_probes",
    "two_models",
    "where_table",
    "where_to_cut",
]
