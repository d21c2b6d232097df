"""The start page: what all experiments found."""

from nbkit.studies.index.experiments import run_experiments
from nbkit.studies.index.findings import training_start_page

__all__ = ["run_experiments", "training_start_page"]
