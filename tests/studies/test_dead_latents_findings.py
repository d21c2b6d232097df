"""What the page on dead latents says, and shows, of results that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from nbkit.studies.dead_latents.explanations import EXPLANATIONS, VERDICTS, carried
from nbkit.studies.dead_latents.figures import dead_by_variant, dead_over_training
from nbkit.studies.dead_latents.findings import (
    dead_and_paper,
    dead_answer,
    dead_fates,
    dead_remedies,
    dead_story,
    dead_table,
)
from nbkit.studies.dead_latents.variants import QUESTIONS, VARIANTS
from tests.examples.dead_latents import example_dead
from tests.figures.test_figures import drawn, words


def verdict_on(name: str, dead: dict[str, float] | None = None, **options: object) -> str:
    """What the answer says an explanation carries."""
    text = dead_answer(example_dead(dead, **options)).markdown  # type: ignore[arg-type]
    [line] = [line for line in text.splitlines() if line.startswith(f"- **{name}: ")]
    return line.removeprefix(f"- **{name}: ").split("**")[0]


@pytest.mark.parametrize(
    ("shares", "key"),
    [
        ([0.9, 0.95, 1.0], "all"),
        ([0.6, 0.65, 0.7], "most"),
        ([0.2, 0.21, 0.22], "little"),
        ([0.3, 0.5, 0.7], "part"),
        ([0.05, 0.06, 0.07], "none"),
        ([-0.1, 0.0, 0.1], "little"),
        ([-0.5, -0.6, -0.7], "none"),
        ([-1.0, 0.5, 1.5], "open"),
        ([0.5, np.nan, 0.5], "open"),
    ],
)
def test_an_explanation_carries_what_its_interval_says(shares: list[float], key: str) -> None:
    assert carried(np.array(shares)) == key and key in VERDICTS


@pytest.mark.parametrize(
    ("name", "dead", "verdict"),
    [  # 30% are dead in the standard run and 10% with the loss
        ("Busy latents make room", {"ne_frequent": 30.0}, "none"),
        ("Busy latents make room", {"ne_frequent": 11.0}, "all"),
        ("The gradient that rare latents get", {"ne_rare": 12.0}, "all"),
        ("The gradient that rare latents get", {"ne_rare": 31.0}, "none"),
        ("Less sparsity", {"denser": 32.0}, "none"),
        ("Less sparsity", {"denser": -8.0}, "all"),  # at L0 4, half-way: 11%
        ("Longer encoder weights", {"lengthened": 18.0, "ne_shortened": 24.0}, "most"),
        ("Longer encoder weights", {"lengthened": 30.0, "ne_shortened": 10.0}, "none"),
        ("Longer encoder weights", {"lengthened": 11.0, "ne_shortened": 29.0}, "all"),
        ("The pull toward like inputs", {"shuffled": 9.0}, "none"),
        ("The pull toward like inputs", {"shuffled": 29.0}, "all"),
        ("Any push at right angles", {"noise": 17.0}, "most"),
        ("Adam's denominator", {"denominator": 26.0}, "little"),
        ("Protection from weight decay", {"adamw": 16.0}, "most"),
        ("Protection from weight decay", {"adamw": 30.0}, "none"),
    ],
)
def test_the_verdict_follows_the_numbers(name: str, dead: dict[str, float], verdict: str) -> None:
    assert verdict_on(name, dead) == VERDICTS[verdict]


def test_the_answer_sorts_the_explanations() -> None:
    first = dead_answer(example_dead()).markdown.splitlines()[0]
    assert first == (
        "What carries the saving? All or nearly all of it: *The gradient that rare latents get*; most of it: *Longer "
        "encoder weights*, *Any push at right angles*, *Protection from weight decay*; less than half of it: *Adam's "
        "denominator*; none or next to none of it: *Busy latents make room*, *Less sparsity*, *The pull toward like "
        "inputs*."
    )
    assert sum(explanation.name in first for explanation in EXPLANATIONS) == len(EXPLANATIONS)


def test_two_seeds_that_disagree_decide_nothing() -> None:
    text = dead_answer(example_dead(n_seeds=2, noise=1.5)).markdown
    assert VERDICTS["open"] in text


def test_no_standard_run_of_that_l0_is_no_verdict() -> None:
    text = dead_answer(example_dead(l0={"ne": 9.0})).markdown
    assert f"**Less sparsity: {VERDICTS['open']}**" in text and "a standard run was not trained" in text


def test_the_sign_matters_through_activations_only_if_the_level_parts_say_so() -> None:
    said = "So the sign matters only because"
    assert said in dead_answer(example_dead()).markdown
    for dead in ({"reversed_level": 27.0}, {"level": 28.0}, {"reversed": 13.0}):
        assert said not in dead_answer(example_dead(dead)).markdown


def test_the_story_is_told_only_if_every_verdict_allows_it() -> None:
    told = "**Together:** a latent that hardly any input activates"
    assert dead_story(example_dead()).markdown.startswith(told)
    must_not = "it must not lower the activations"
    assert must_not in dead_story(example_dead()).markdown
    assert must_not not in dead_story(example_dead({"reversed": 13.0})).markdown
    for dead in (
        {"ne_frequent": 15.0},
        {"ne_rare": 24.0},
        {"denser": 10.0},
        {"lengthened": 29.0},
        {"shuffled": 25.0},
        {"noise": 29.0},
        {"adamw": 28.0},
        {"ne": 30.0},
    ):
        assert "do not make one chain" in dead_story(example_dead(dead)).markdown, dead
    assert "do not make one chain" in dead_story(example_dead(questions=("reference", "decay"))).markdown


def test_where_the_loss_saves_none_there_is_nothing_to_explain() -> None:
    for end in (30.0, 40.0):
        found = example_dead({"ne": end})
        assert dead_answer(found).markdown == (
            "The NE loss saves no latents measurably here, so there is nothing to explain."
        )
        assert "no measurable saving" in dead_and_paper(found).markdown
    assert "no measurable saving" not in dead_and_paper(example_dead()).markdown


def test_the_papers_figures_stand_beside() -> None:
    text = dead_and_paper(example_dead(noise=0)).markdown
    assert "from 23.8% to 3.7%" in text and "from 30.0% (30.0 to 30.0) to 10.0% (10.0 to 10.0)" in text
    assert "by 20.0 (20.0 to 20.0) points, or a factor of 3.0 (the paper's: 6.4)" in text


def test_the_table_has_every_variant_with_its_interval() -> None:
    found = example_dead()
    table = dead_table(found)
    assert len(table) == len(VARIANTS)
    cells = table.to_dict("index")
    row = cells["in place of the NE loss's gradient", "noise of its length"]
    interval = ttest_1samp(found.values("noise"), 0).confidence_interval(0.95)
    assert row["dead / %"] == f"{found.mean('noise'):.1f} ({interval.low:.1f} to {interval.high:.1f})"
    share = ttest_1samp(100 * found.saved("noise"), 0).confidence_interval(0.95)
    assert row["of the saving / %"].endswith(f"({share.low:.0f} to {share.high:.0f})")
    assert (row["L0 / %"], row["MSE"]) == ("4.0", "0.50")
    assert cells["published remedies", "resampling, 0.2 of the length"]["of the saving / %"].startswith("−5")
    assert list(table["of the saving / %"][:2]) == ["", ""]


def test_zero_has_no_sign() -> None:
    found = example_dead({"auxiliary": 30.0}, noise=0)
    assert dead_table(found)["of the saving / %"].iloc[-4] == "0 (0 to 0)"
    found.table.loc[(found.table["variant"] == "auxiliary") & (found.table["step"] == 469), "dead"] += 0.01
    assert dead_table(found)["of the saving / %"].iloc[-4] == "0 (0 to 0)"


def test_intervals_of_latents_end_at_none_and_all() -> None:
    row = dead_table(example_dead({"ne": 0.2}, noise=1.0)).iloc[1]
    assert "(0.0 to " in row["dead / %"]


def test_the_saving_is_split_into_latents_that_come_back_and_that_stay() -> None:
    text = dead_fates(example_dead(noise=0)).markdown
    # 8% are dead at step 200, of which 90% and 2% come back; of the other 92%, 24% and 4% die
    assert "7.0 (7.0 to 7.0) are latents that come back and 18.4 (18.4 to 18.4) are latents that don't die" in text
    assert (
        "99.0% (99.0 to 99.0) are above 0" in text and "with AdamW 20.0%" in text and "hands them to the loss" in text
    )
    found = example_dead()
    found.table.loc[found.table["variant"] == "ne_adamw", "fired"] = 99.0
    assert "hands them to the loss" not in dead_fates(found).markdown


@pytest.mark.parametrize(("end", "said"), [(4.0, "fewer than"), (11.9, "more than"), (10.0, "not measurably fewer")])
def test_remedies_are_held_against_the_loss(end: float, said: str) -> None:
    text = dead_remedies(example_dead({"adamw_resampled_long": end})).markdown
    assert f"The fewest are left by *AdamW, resampling, full length*, {said}" in text
    assert ("the NE loss is beaten" in text) == (said == "fewer than")


def test_a_part_of_the_questions_gives_a_part_of_the_page() -> None:
    found = example_dead(questions=("reference", "lengths"))
    text = dead_answer(found).markdown
    assert text.count("\n- **") == 1 and "- **Longer encoder weights" in text
    assert "AdamW" not in dead_fates(found).markdown
    assert dead_remedies(found).markdown == "This profile does not train the remedies."
    assert len(dead_table(found)) == 6
    drawn(dead_by_variant(found))
    drawn(dead_over_training(found))


def test_the_forest_has_a_line_per_variant_and_a_heading_per_question() -> None:
    found = example_dead()
    figure = drawn(dead_by_variant(found))
    [ax] = figure.axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    expected = [text for q in QUESTIONS.values() for text in (q.title, *(v.title for v in q.variants.values()))]
    assert labels == expected
    marks = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert [float(np.asarray(mark.get_xdata())[0]) for mark in marks] == pytest.approx(
        [found.mean(n) for n in VARIANTS]
    )
    places = [int(np.asarray(mark.get_ydata())[0]) for mark in marks]
    assert [labels[place] for place in places] == [variant.title for variant in VARIANTS.values()]
    hollow = {
        VARIANTS[name].config.ne == 0
        for name, mark in zip(VARIANTS, marks, strict=True)
        if mark.get_markerfacecolor() == "white"
    }
    assert hollow == {True}, "with and without the loss differ by more than their color"


def test_the_course_shows_dead_latents_and_lengths() -> None:
    found = example_dead(noise=0)
    figure = drawn(dead_over_training(found))
    left, right = figure.axes
    dead = [line for line in left.get_lines() if len(np.asarray(line.get_xdata())) == 3]
    assert [list(np.asarray(line.get_ydata())) for line in dead] == [[15, 8, 30], [5, 8, 10], [8, 8, 16]]
    lengths = [
        list(np.asarray(line.get_ydata())) for line in right.get_lines() if len(np.asarray(line.get_xdata())) == 3
    ]
    assert lengths == [[0.2, 0.2, 0.02], [0.4] * 3] * 3
    assert {"standard", "NE loss", "standard, AdamW", "die in the standard run", "the others"} <= set(words(figure))
