"""What may save latents from dying: the explanations, and the experiment that tells how much each of them carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nbkit.method.intervals import mean_interval
from nbkit.studies.dead_latents.experiment import DeadLatents
from nbkit.studies.dead_latents.variants import STANDARD
from nbkit.studies.shared.intervals import Values, interval, of_latents, percent

VERDICTS = {
    "all": "all or nearly all of it",
    "most": "most of it",
    "part": "a part of it",
    "little": "less than half of it",
    "none": "none or next to none of it",
    "open": "undecided",
}
"""What an explanation can carry of the saving; see `carried`."""


@dataclass(frozen=True)
class Explanation:
    """What may save the latents, and the experiment that shows how much of the saving it carries."""

    name: str
    question: str
    """The variants that it needs."""
    share: Callable[[DeadLatents], Values]
    """The share of the saving that it carries."""
    evidence: Callable[[DeadLatents], str]


def carried(share: Values) -> str:
    """How much of the saving an explanation carries, by the 95% interval of its share: a key of `VERDICTS`.

    `all` if it lies above 75%, `most` above 50%, `none` below 10%, `little` below 50%; else `part` if it lies above 0,
    and `open` if it reaches 0.
    """
    _, low, high = mean_interval(share)
    if low > 0.5:
        return "all" if low > 0.75 else "most"
    if high < 0.5:
        return "none" if high < 0.1 else "little"
    return "part" if low > 0 else "open"


def price(found: DeadLatents, name: str) -> str:
    """What a variant leaves dead, and at which reconstruction error."""
    return f"{dead(found, name)} at MSE {found.mean(name, 'mse'):.2f}"


def dead(found: DeadLatents, name: str) -> str:
    """What a variant leaves dead."""
    return of_latents(found.values(name)).replace("%", "% dead")


def sign_is_of_activations(found: DeadLatents) -> bool:
    """Whether the reversed gradient fails only by its part along the mean input: without it, either sign saves most."""
    level = {carried(found.saved(name)) for name in ("level", "reversed_level")}
    regained = mean_interval(found.saved("reversed_level") - found.saved("reversed"))[1]
    return level <= {"all", "most"} and regained > 0


def _of_latents(found: DeadLatents) -> str:
    return (
        f"On the busy latents alone, the {100 - found.mean('standard', 'rare'):.0f}% that at least 1% of the inputs "
        f"activate, the loss leaves {price(found, 'ne_frequent')}."
    )


def _of_rare(found: DeadLatents) -> str:
    return (
        f"On the others alone it leaves {price(found, 'ne_rare')}; the standard run has MSE "
        f"{found.mean('standard', 'mse'):.2f}, that with the whole loss {found.mean('ne', 'mse'):.2f}. On latents "
        f"silent for 20 steps alone: {dead(found, 'ne_silent')}."
    )


def _at_equal_l0(found: DeadLatents) -> Values:
    """The share of the saving that a standard autoencoder of the L0 of the NE run has; NaN where none is near."""
    matched = found.at_sparsity(["standard", "denser"], found.values("ne", "l0"))
    share: Values = (found.values("standard") - matched) / (found.values("standard") - found.values("ne"))
    return share


def _of_sparsity(found: DeadLatents) -> str:
    matched = found.at_sparsity(["standard", "denser"], found.values("ne", "l0"))
    at = f"At the L0 of the NE run, {found.mean('ne', 'l0'):.1f}%, a standard run"
    first = f"{at} leaves {of_latents(matched)} dead." if np.isfinite(matched).all() else f"{at} was not trained."
    return (
        f"{first} The NE loss at twice the L1 penalty has L0 {found.mean('ne_sparser', 'l0'):.1f}% (standard "
        f"{found.mean('standard', 'l0'):.1f}%) and leaves {dead(found, 'ne_sparser')}."
    )


def _of_lengths(found: DeadLatents) -> str:
    return (
        f"A standard run whose encoder weights are held to the lengths of the NE run leaves "
        f"{dead(found, 'lengthened')}; an NE run held to the lengths of the standard run "
        f"{dead(found, 'ne_shortened')}. The share is the mean over both directions. Held to the lengths at step 200, "
        f"so that they neither grow nor shrink: {dead(found, 'fixed')} without the loss, {dead(found, 'ne_fixed')} "
        f"with it."
    )


def _of_pull(found: DeadLatents) -> str:
    text = (
        f"Pulled toward the average inputs of *another* latent: {dead(found, 'shuffled')}. With the gradient "
        f"reversed, away from its own: {dead(found, 'reversed')}. Its level part, which leaves the mean activation "
        f"on the latent's inputs as it is: {dead(found, 'level')}; that reversed: {dead(found, 'reversed_level')}."
    )
    if sign_is_of_activations(found):
        text += " So the sign matters only because one lowers the activations and the other raises them."
    return text


def _of_noise(found: DeadLatents) -> str:
    lasting = " and ".join(percent(100 * found.saved(name), 0) for name in ("level", "reversed_level"))
    return (
        f"Noise in the place of the gradient, as long and at right angles to the weights: {price(found, 'noise')}. It "
        f"changes with every step; the level part and its reverse last, and keep {lasting}."
    )


def _of_denominator(found: DeadLatents) -> str:
    return (
        f"A large gradient also makes Adam's steps along all others shorter, those of the decay among them. Let into "
        f"the denominator alone, that of the NE loss leaves {dead(found, 'denominator')}."
    )


def _of_decay(found: DeadLatents) -> str:
    left = found.values("adamw") - found.values("ne_adamw")
    start = found.course[(found.course["variant"] == "standard") & (found.course["step"] == STANDARD.ne_start)]
    shortness = (start["length_doomed"] / start["length_spared"]).to_numpy()
    return (
        f"AdamW, where decay of this size does next to nothing, leaves {price(found, 'adamw')}; L2 decay of encoder "
        f"weights only where their latent is active {dead(found, 'active_decay')}; L2 decay until step 200 "
        f"{dead(found, 'early_decay')}: by then the latents that die have encoder weights {interval(shortness, 2)} "
        f"times as long as the others'. With AdamW the NE loss saves {interval(left)} points."
    )


EXPLANATIONS = (
    Explanation("Busy latents make room", "latents", lambda found: found.saved("ne_frequent"), _of_latents),
    Explanation("The gradient that rare latents get", "latents", lambda found: found.saved("ne_rare"), _of_rare),
    Explanation("Less sparsity", "sparsity", _at_equal_l0, _of_sparsity),
    Explanation("Longer encoder weights", "lengths", DeadLatents.by_length, _of_lengths),
    Explanation("The pull toward like inputs", "gradient", lambda found: 1 - found.saved("shuffled"), _of_pull),
    Explanation("Any push at right angles", "gradient", lambda found: found.saved("noise"), _of_noise),
    Explanation("Adam's denominator", "gradient", lambda found: found.saved("denominator"), _of_denominator),
    Explanation("Protection from weight decay", "decay", lambda found: found.saved("adamw"), _of_decay),
)
