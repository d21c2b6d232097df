"""Why the neuron-embedding loss saves latents, in words and tables."""

from __future__ import annotations

import pandas as pd

from nbkit.method.intervals import mean_interval
from nbkit.studies.dead_latents.experiment import DeadLatents
from nbkit.studies.dead_latents.explanations import EXPLANATIONS, VERDICTS, carried, dead, price, sign_is_of_activations
from nbkit.studies.shared.intervals import interval, of_latents, percent
from nbkit.studies.shared.paper import PAPER
from nbkit.studies.shared.text import Text

CHAIN = {
    "Busy latents make room": ("none", "little"),
    "The gradient that rare latents get": ("all", "most"),
    "Less sparsity": ("none", "little"),
    "Longer encoder weights": ("all", "most"),
    "The pull toward like inputs": ("none", "little"),
    "Any push at right angles": ("all", "most", "part"),
    "Protection from weight decay": ("all", "most"),
}
"""The verdicts that `dead_story` needs."""


def dead_table(found: DeadLatents) -> pd.DataFrame:
    """Every variant: dead latents and the share of the NE loss's saving, with 95% intervals over seeds; L0 and MSE."""
    rows = {}
    for question in found.questions.values():
        for name, variant in question.variants.items():
            rows[question.title, variant.title] = {
                "dead / %": of_latents(found.values(name)).replace("%", ""),
                "of the saving / %": "" if name in ("standard", "ne") else interval(100 * found.saved(name), 0),
                "L0 / %": f"{found.mean(name, 'l0'):.1f}",
                "MSE": f"{found.mean(name, 'mse'):.2f}",
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def dead_and_paper(found: DeadLatents) -> Text:
    """The paper's two figures and this build's."""
    (standard, ne), mine = PAPER["dead"], [found.values(name) for name in ("standard", "ne")]
    text = (
        f"The paper's dead latents fall from {standard}% to {ne}%. Here they fall from {percent(mine[0])} to "
        f"{percent(mine[1])}: by {interval(mine[0] - mine[1])} points, or a factor of "
        f"{mine[0].mean() / mine[1].mean():.1f} (the paper's: {standard / ne:.1f}). Brackets hold 95% intervals over "
        f"seeds."
    )
    return Text(text if _saves(found) else f"{text} That is no measurable saving, so there is nothing to explain.")


def dead_answer(found: DeadLatents) -> Text:
    """A verdict on each explanation, from the interval of the share of the saving that it carries."""
    if not _saves(found):
        return Text("The NE loss saves no latents measurably here, so there is nothing to explain.")
    asked = [explanation for explanation in EXPLANATIONS if explanation.question in found.questions]
    verdicts = [carried(explanation.share(found)) for explanation in asked]
    told = []
    for verdict, words in VERDICTS.items():
        names = [f"*{e.name}*" for e, own in zip(asked, verdicts, strict=True) if own == verdict]
        told += [f"{words}: {', '.join(names)}"] if names else []
    lines = [
        f"- **{e.name}: {VERDICTS[verdict]}**, {percent(100 * e.share(found), 0)}. {e.evidence(found)}"
        for e, verdict in zip(asked, verdicts, strict=True)
    ]
    return Text(f"What carries the saving? {'; '.join(told)}.\n\n".replace("? a", "? A") + "\n".join(lines))


def dead_story(found: DeadLatents) -> Text:
    """The chain of causes, if the verdicts allow it."""
    asked = [explanation for explanation in EXPLANATIONS if explanation.question in found.questions]
    verdicts = {e.name: carried(e.share(found)) for e in asked} if _saves(found) else {}
    if not all(verdicts.get(name) in allowed for name, allowed in CHAIN.items()):
        return Text("The verdicts of this build do not make one chain of causes.")
    text = (
        "**Together:** a latent that hardly any input activates has in most steps no gradient but that of the L2 "
        "decay. Adam divides a gradient by its usual size, so however weak the decay, its steps are whole ones, and "
        "the encoder weights of such a latent shrink until it dies. The NE loss does not depend on the length of these "
        "weights: its gradient is at right angles to them, and the larger the shorter they are. A step at right angles "
        "makes a vector longer. That is most of the saving. Which inputs a latent is pulled toward does not matter, "
        "and neither do sparsity and what the loss does to busy latents."
    )
    if sign_is_of_activations(found):
        text += " The direction of the push matters in one way: it must not lower the activations."
    return Text(text)


def dead_fates(found: DeadLatents) -> Text:
    """When latents die, how many come back, and how a loss on active latents can reach silent ones."""
    start = found.values("standard", "dead_at_start") / 100
    back, later = (
        {name: found.values(name, column) for name in ("standard", "ne")} for column in ("came_back", "died_later")
    )
    returned, spared = start * (back["ne"] - back["standard"]), (1 - start) * (later["standard"] - later["ne"])
    fired = found.values("ne", "fired")
    text = (
        f"At step 200, before the NE loss begins, {of_latents(100 * start)} of the latents are dead. Without it "
        f"{of_latents(back['standard'])} of these come back, with it {of_latents(back['ne'])}; of the others "
        f"{of_latents(later['standard'])} and {of_latents(later['ne'])} die later. So of the points that the loss "
        f"saves, {interval(returned)} are latents that come back and {interval(spared)} are latents that don't die.\n\n"
        f"The loss has a gradient only where a latent is active. Of the latents dead at step 200, {of_latents(fired)} "
        f"are above 0 in some later batch of the NE run"
    )
    if "decay" not in found.questions:
        return Text(f"{text}.")
    without, back_without = (found.values("ne_adamw", column) for column in ("fired", "came_back"))
    text += f"; with AdamW {of_latents(without)} are, and {of_latents(back_without)} come back."
    if mean_interval(fired - without)[1] > 0:
        text += (
            " So it is the L2 decay that hands them to the loss: it takes weights and bias of a silent latent to 0, "
            "where the pre-activation changes its sign from step to step."
        )
    return Text(text)


def dead_remedies(found: DeadLatents) -> Text:
    """What the published remedies do, with Adam's decay and with AdamW's."""
    if "remedies" not in found.questions:
        return Text("This profile does not train the remedies.")
    remedies = {name: variant.title for name, variant in found.questions["remedies"].variants.items()}
    best = min(remedies, key=found.mean)
    _, low, high = mean_interval(found.values("ne") - found.values(best))
    than = "fewer than" if low > 0 else "more than" if high < 0 else "not measurably fewer or more than"
    alive = {name: of_latents(found.values(name, "resampled_alive")) for name in remedies if "resampled" in name}
    text = (
        f"- **Resampling** at the published 0.2 of the others' length: {dead(found, 'resampled')} with L2 decay, "
        f"{dead(found, 'adamw_resampled')} with AdamW. Of the latents made anew {alive['resampled']} and "
        f"{alive['adamw_resampled']} are alive at the end. Made anew at the full length, "
        f"{alive['adamw_resampled_long']} are, which leaves {dead(found, 'adamw_resampled_long')}.\n"
        f"- **The auxiliary loss** at the published weight: {dead(found, 'auxiliary')} with L2 decay, "
        f"{dead(found, 'adamw_auxiliary')} with AdamW.\n\n"
        f"The fewest are left by *{remedies[best]}*, {than} by the NE loss: {price(found, best)}; the NE loss: "
        f"{price(found, 'ne')}."
    )
    if low > 0 and mean_interval(found.values("ne", "mse") - found.values(best, "mse"))[1] > 0:
        text += " So as a remedy against dead latents the NE loss is beaten, at a better reconstruction."
    return Text(text)


def _saves(found: DeadLatents) -> bool:
    """Whether the NE loss lowers the dead share measurably."""
    return mean_interval(found.values("standard") - found.values("ne"))[1] > 0
