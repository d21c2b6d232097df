"""Tables 2 and 3: autoencoders with and without the neuron-embedding loss."""

from nbkit.studies.sae_tables.course import loss_course
from nbkit.studies.sae_tables.figures import course_of_the_loss, settings_tried
from nbkit.studies.sae_tables.findings import (
    distance_controls,
    fresh_seeds,
    hyperparameters,
    least_examples,
    standard_row,
    table_2,
    table_3,
    what_distances_say,
    which_latents,
)
from nbkit.studies.sae_tables.reproduction import Search, reproduce
from nbkit.studies.sae_tables.search_findings import (
    after_the_start,
    by_start,
    nearest_settings,
    stated_setting,
    what_goes_together,
    with_loss_row,
)

__all__ = [
    "Search",
    "after_the_start",
    "by_start",
    "course_of_the_loss",
    "distance_controls",
    "fresh_seeds",
    "hyperparameters",
    "least_examples",
    "loss_course",
    "nearest_settings",
    "reproduce",
    "settings_tried",
    "standard_row",
    "stated_setting",
    "table_2",
    "table_3",
    "what_distances_say",
    "what_goes_together",
    "which_latents",
    "with_loss_row",
]
