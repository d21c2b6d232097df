"""The findings of all pages, for the start page."""

from __future__ import annotations

from nbkit.studies.dead_latents.findings import dead_answer
from nbkit.studies.index.experiments import Experiments
from nbkit.studies.sae_tables.reproduction import misses
from nbkit.studies.shared.intervals import percent
from nbkit.studies.shared.paper import PAPER_COLUMNS, STANDARD, WITH_LOSS
from nbkit.studies.shared.text import Text
from nbkit.studies.trade_off.findings import compared_gradients, verdicts, what_gradients_say


def training_start_page(found: Experiments) -> Text:
    """The key findings about sparse autoencoders, each with the page that holds it."""
    tables, dead = found.tables, found.dead
    factor = {row: float(misses(tables.row(row), row)["factor"].iloc[0]) for row in (STANDARD, WITH_LOSS)}
    differences = compared_gradients(found.trade_off, found.gradients)
    [control, _] = what_gradients_say(differences).markdown.split("\n")
    [carriers, *_] = dead_answer(dead).markdown.split("\n")
    saved = f"{percent(dead.values('standard'))} to {percent(dead.values('ne'))}"
    lines = (
        f"**Tables 2 and 3.** The {len(PAPER_COLUMNS)} figures of the standard row miss the paper's by a factor of "
        f"{factor[STANDARD]:.2f} on average, those of the row with the loss by {factor[WITH_LOSS]:.2f} in the nearest "
        f"of {tables.tried['name'].nunique()} settings ([Tables 2 and 3](sae-tables)).",
        f"{verdicts(differences['whole']).markdown} {control.removeprefix('- ')} With the gradient through the average "
        f"alone: {verdicts({'mse': differences['average']['mse']}).markdown} See [what the loss buys](trade-off).",
        f"**Dead latents** fall from {saved}. {carriers} See [dead latents](dead-latents).",
    )
    return Text("\n".join(f"{number}. {said}" for number, said in enumerate(lines, start=1)))
