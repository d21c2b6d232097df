"""Tables 2 and 3: autoencoders with and without the neuron-embedding loss."""

from nbkit.studies.sae_tables.course import loss_course
from nbkit.studies.sae_tables.figures import course_of_the_loss, settings_tried
from nbkit.studies.sae_tables.findings import distance_changes, fresh_seeds, least_examples_agreement, standard_row
from nbkit.studies.sae_tables.reproduction import Search, reproduce
from nbkit.studies.sae_tables.search_findings import (
    courses_after_start,
    figures_reached_together,
    stated_setting,
    with_loss_row,
)
from nbkit.studies.sae_tables.tables import (
    by_start,
    distance_controls,
    hyperparameters,
    least_examples,
    nearest_settings,
    table_2,
    table_3,
)

__all__ = [
    "Search",
    "by_start",
    "course_of_the_loss",
    "courses_after_start",
    "distance_changes",
    "distance_controls",
    "figures_reached_together",
    "fresh_seeds",
    "hyperparameters",
    "least_examples",
    "least_examples_agreement",
    "loss_course",
    "nearest_settings",
    "reproduce",
    "settings_tried",
    "standard_row",
    "stated_setting",
    "table_2",
    "table_3",
    "with_loss_row",
]
