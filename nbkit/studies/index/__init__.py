"""The start page: what all experiments found."""

from nbkit.studies.index.experiments import run_experiments
from nbkit.studies.index.training_findings import training_findings

__all__ = ["run_experiments", "training_findings"]
