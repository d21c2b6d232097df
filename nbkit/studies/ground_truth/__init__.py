"""Ground truth: the benchmark of `nbkit.method.truth` on units of real models, and contestants that learn a basis."""

from nbkit.studies.ground_truth.chosen_contexts import choose_contexts
from nbkit.studies.ground_truth.concepts import concepts_of
from nbkit.studies.ground_truth.images import image_units
from nbkit.studies.ground_truth.labeled_contexts import label_contexts
from nbkit.studies.ground_truth.learned import LEARNED
from nbkit.studies.ground_truth.merged import merged_neurons
from nbkit.studies.ground_truth.planted import concept_units, merged_probes
from nbkit.studies.ground_truth.probes import train_probes
from nbkit.studies.ground_truth.senses import form_or_meaning, sense_units
from nbkit.studies.ground_truth.token_reads import read_layers

__all__ = [
    "LEARNED",
    "choose_contexts",
    "concept_units",
    "concepts_of",
    "form_or_meaning",
    "image_units",
    "label_contexts",
    "merged_neurons",
    "merged_probes",
    "read_layers",
    "sense_units",
    "train_probes",
]
