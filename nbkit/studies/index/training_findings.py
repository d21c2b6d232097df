"""What the experiments on sparse autoencoders found, for the start page."""

from __future__ import annotations

from dataclasses import dataclass

from nbkit.studies.dead_latents.explanations import WEIGHT_DECAY, Explained, explained
from nbkit.studies.dead_latents.findings import Saving, saving
from nbkit.studies.index.experiments import Experiments
from nbkit.studies.sae_tables.findings import StandardRow, standard_row
from nbkit.studies.sae_tables.search_findings import WithLossRow, with_loss_row
from nbkit.studies.trade_off.findings import Answer, answered, compared_gradients


@dataclass(frozen=True)
class TrainingFindings:
    """The key figures about sparse autoencoders."""

    standard: StandardRow
    """Tables 2 and 3 without the loss."""
    with_loss: WithLossRow
    """With the loss, in the nearest setting."""
    at_l0: Answer
    """The loss at equal L0."""
    at_mse: Answer
    average_at_mse: Answer
    """The gradient through the average alone."""
    saving: Saving
    decay: Explained
    """How much of the saving protection from weight decay explains."""


def training_findings(found: Experiments) -> TrainingFindings:
    """The key figures about sparse autoencoders, for the start page."""
    compared_by = compared_gradients(found.trade_off, found.gradients)
    [decay] = (e for e in explained(found.dead) if e.name == WEIGHT_DECAY)
    return TrainingFindings(
        standard=standard_row(found.tables),
        with_loss=with_loss_row(found.tables),
        at_l0=answered(compared_by, "l0"),
        at_mse=answered(compared_by, "mse"),
        average_at_mse=answered(compared_by, "mse", "average"),
        saving=saving(found.dead),
        decay=decay,
    )
