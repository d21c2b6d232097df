"""What the experiments on sparse autoencoders found, for the start page."""

from __future__ import annotations

from dataclasses import dataclass

from nbkit.sae.loss import Gradient
from nbkit.studies.dead_latents.explanations import Carriers, carriers, explained
from nbkit.studies.dead_latents.findings import Saving, saving
from nbkit.studies.index.experiments import Experiments
from nbkit.studies.sae_tables.reproduction import misses
from nbkit.studies.shared.paper import PAPER_COLUMNS, STANDARD, WITH_LOSS
from nbkit.studies.trade_off.findings import Count, compared_gradients, counted_gradients


@dataclass(frozen=True)
class TrainingFindings:
    """The key figures about sparse autoencoders."""

    n_figures: int
    """Of a row of Tables 2 and 3."""
    standard_factor: float
    """By which the standard row misses the paper's, on average."""
    ne_factor: float
    """By which the row with the loss misses it in the nearest setting."""
    n_settings: int
    at_l0: Count
    """The loss at equal L0, over all activations."""
    at_mse: Count
    average_at_mse: Count
    """The gradient through the average alone."""
    opposite: dict[str, Count]
    """The opposite loss, over the activations that all gradients have, at equal L0 (`l0`) and at equal MSE (`mse`)."""
    saving: Saving
    carriers: tuple[Carriers, ...]


def training_findings(found: Experiments) -> TrainingFindings:
    """The key figures about sparse autoencoders, for the start page."""
    tables = found.tables
    compared_by = compared_gradients(found.trade_off, found.gradients)

    def count(gradient: Gradient, by: str) -> Count:
        return Count.of(compared_by[gradient][by])

    def factor(row: str) -> float:
        return float(misses(tables.row(row), row)["factor"].iloc[0])

    return TrainingFindings(
        n_figures=len(PAPER_COLUMNS),
        standard_factor=factor(STANDARD),
        ne_factor=factor(WITH_LOSS),
        n_settings=tables.tried["name"].nunique(),
        at_l0=count("whole", "l0"),
        at_mse=count("whole", "mse"),
        average_at_mse=count("average", "mse"),
        opposite=counted_gradients(compared_by)["opposite"],
        saving=saving(found.dead),
        carriers=carriers(explained(found.dead)),
    )
