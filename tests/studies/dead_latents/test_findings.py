"""What is found in results on dead latents that are known: verdicts, saving, fates, remedies; and the figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from nbkit.studies.dead_latents.explanations import (
    CARRIED,
    EXPLANATIONS,
    Verdict,
    carried,
    chain_holds,
    decay_explained,
    evidence,
    explained,
    explanations_table,
    main_explanations,
)
from nbkit.studies.dead_latents.figures import dead_by_variant, dead_over_training
from nbkit.studies.dead_latents.findings import best_remedy, dead_table, fates, saving
from nbkit.studies.dead_latents.variants import QUESTIONS, VARIANTS
from nbkit.studies.shared.estimate import UNDEFINED, Estimate
from tests.examples.dead_latents import example_dead
from tests.examples.figure_data import data_of
from tests.figures.test_figures import drawn, words


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ([90, 95, 100], "all"),
        ([60, 65, 70], "most"),
        ([20, 21, 22], "little"),
        ([30, 50, 70], "part"),
        ([5, 6, 7], "none"),
        ([-10, 0, 10], "little"),
        ([-50, -60, -70], "none"),
        ([-100, 50, 150], "open"),
        ([50, np.nan, 50], "open"),
        ([], "open"),
    ],
)
def test_an_explanation_carries_what_its_interval_says(shares: list[float], verdict: Verdict) -> None:
    assert carried(Estimate.over_seeds(np.array(shares, dtype=np.float64))) == verdict


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
def test_the_verdict_follows_the_numbers(name: str, dead: dict[str, float], verdict: Verdict) -> None:
    [mine] = [e for e in explained(example_dead(dead)) if e.name == name]
    assert mine.asked and (mine.verdict, mine.carries) == (verdict, CARRIED[verdict])


def test_what_the_start_page_tells_is_protection_from_weight_decay() -> None:
    decay = decay_explained(example_dead(noise=0))
    assert decay.name == "Protection from weight decay" and decay.is_main


def test_shares_are_in_per_cent_of_the_saving() -> None:
    shares = {e.name: f"{e.share:.0f%}" for e in explained(example_dead(noise=0))}
    assert shares["The gradient that rare latents get"] == "90%"
    assert shares["The pull toward like inputs"] == "−5%"


def test_the_table_sorts_the_explanations_by_what_they_carry() -> None:
    found = explained(example_dead(noise=0))
    table = explanations_table(found).written
    assert table["of the saving / %"].tolist() == ["90", "70", "65", "65", "20", "5", "−5", "−5"]
    assert table["so it carries"].tolist() == [
        *["all or nearly all", "most", "most", "most", "less than half"],
        *["none or next to none"] * 3,
    ]
    row = table.loc["Protection from weight decay"]
    assert row["experiment"] == "no loss, and AdamW in place of L2 decay"
    assert [mine.name for mine in main_explanations(found)] == table.index[:4].tolist()


def test_two_seeds_that_disagree_decide_nothing() -> None:
    assert "open" in {e.verdict for e in explained(example_dead(n_seeds=2, noise=1.5))}


def test_no_standard_run_of_that_l0_is_no_verdict() -> None:
    found = example_dead(l0={"ne": 9.0})
    [sparsity] = [e for e in explained(found) if e.name == "Less sparsity"]
    assert sparsity.verdict == "open" and not evidence(found).at_ne_l0.known
    assert f"{evidence(example_dead(noise=0)).at_ne_l0:.1f%}" == "31.0%"


def test_the_sign_matters_through_activations_only_if_the_level_parts_say_so() -> None:
    assert evidence(example_dead()).sign_is_of_activations
    for dead in ({"reversed_level": 27.0}, {"level": 28.0}, {"reversed": 13.0}):
        assert not evidence(example_dead(dead)).sign_is_of_activations


def test_what_the_experiments_show_besides() -> None:
    found = evidence(example_dead(noise=0))
    assert found.busy == pytest.approx(6)
    assert f"{found.shortness:.2f}" == "0.50"  # 0.2 by 0.4 at step 200
    assert f"{found.saved_with_adamw:.1f}" == "1.0"


def test_the_chain_holds_only_if_every_verdict_allows_it() -> None:
    assert chain_holds(explained(example_dead()))
    assert chain_holds(explained(example_dead({"denominator": 11.0}))), "the denominator may carry what it likes"
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
        assert not chain_holds(explained(example_dead(dead))), dead
    assert not chain_holds(explained(example_dead(questions=("reference", "decay"))))


def test_where_the_loss_saves_none_there_is_nothing_to_explain() -> None:
    for end in (30.0, 40.0):
        found = example_dead({"ne": end})
        assert not found.saves and main_explanations(explained(found)) == ()
        assert explanations_table(explained(found)).written.empty
        assert not any(e.asked for e in explained(found))
    assert example_dead().saves


def test_the_papers_figures_stand_beside() -> None:
    found = saving(example_dead(noise=0))
    assert (found.n_seeds, found.config.ne, found.config.ne_start) == (4, 5e-3, 200)
    assert (found.paper_standard, found.paper_ne, f"{found.paper_factor:.1f}") == (23.8, 3.7, "6.4")
    assert (f"{found.standard.value:.1f%}", f"{found.ne.value:.1f%}") == ("30.0%", "10.0%")
    assert f"{found.points:.1f}" == "20.0" and found.factor == pytest.approx(3)


def test_the_table_has_every_variant_with_its_interval() -> None:
    found = example_dead()
    table = dead_table(found).written
    assert len(table) == len(VARIANTS)
    cells = table.to_dict("index")
    row = cells["in place of the NE loss's gradient", "noise of its length"]
    interval = ttest_1samp(found.values("noise"), 0).confidence_interval(0.95)
    assert row["dead / %"] == f"{found.mean('noise'):.1f} [{interval.low:.1f}, {interval.high:.1f}]"
    share = ttest_1samp(100 * found.saved("noise"), 0).confidence_interval(0.95)
    assert row["of the saving / %"].endswith(f"[{share.low:.0f}, {share.high:.0f}]")
    assert (row["L0 / %"], row["MSE"]) == ("4.0", "0.50")
    assert cells["published remedies", "resampling, 0.2 of the length"]["of the saving / %"].startswith("−5")
    assert list(table["of the saving / %"][:2]) == ["", ""]


def test_zero_has_no_sign() -> None:
    found = example_dead({"auxiliary": 30.0}, noise=0)
    assert dead_table(found).written["of the saving / %"].iloc[-4] == "0"
    found.table.loc[(found.table["variant"] == "auxiliary") & (found.table["step"] == 469), "dead"] += 0.01
    assert dead_table(found).written["of the saving / %"].iloc[-4] == "0"


def test_intervals_of_latents_end_at_none_and_all() -> None:
    row = dead_table(example_dead({"ne": 0.2}, noise=1.0)).written.iloc[1]
    assert "[0.0, " in row["dead / %"]


def test_the_saving_is_split_into_latents_that_come_back_and_that_stay() -> None:
    found = example_dead(noise=0)
    mine = fates(found)
    # 8% are dead at step 200, of which 90% and 2% come back; of the other 92%, 24% and 4% die
    assert (mine.dead_at_start.value, mine.back_standard.value, mine.back_ne.value) == pytest.approx((8, 2, 90))
    assert (mine.later_standard.value, mine.later_ne.value) == pytest.approx((24, 4))
    assert (mine.returned.value, mine.spared.value) == pytest.approx((0.08 * 88, 0.92 * 20))
    assert mine.decay_hands_over
    found.table.loc[found.table["variant"] == "ne_adamw", "fired"] = 99.0
    assert not fates(found).decay_hands_over


@pytest.mark.parametrize(("end", "sign"), [(4.0, 1), (11.9, -1), (10.0, 0)])
def test_remedies_are_held_against_the_loss(end: float, sign: int) -> None:
    best = best_remedy(example_dead({"adamw_resampled_long": end}))
    assert (best.trained, best.name, best.title) == (True, "adamw_resampled_long", "AdamW, resampling, full length")
    assert best.fewer.sign == sign and best.beats_ne == (sign > 0)


def test_a_remedy_at_a_worse_reconstruction_does_not_beat_the_loss() -> None:
    found = example_dead()
    found.table.loc[found.table["variant"] == "adamw_resampled_long", "mse"] = 0.6
    assert best_remedy(found).fewer.sign > 0 and not best_remedy(found).beats_ne


def test_what_was_not_trained_is_not_known() -> None:
    found = example_dead(questions=("reference", "lengths"))
    assert [e.name for e in explained(found) if e.asked] == ["Longer encoder weights"]
    assert not chain_holds(explained(found)) and not evidence(found).sign_is_of_activations
    assert not fates(found).decay_hands_over and not best_remedy(found).trained
    assert f"{found.share('noise'):.1f%}" == f"{found.saving('noise'):.0f%}" == UNDEFINED
    assert all(np.isnan(found.mean(name)) for name in ("noise", "adamw", "denser"))
    assert len(dead_table(found).cells) == 6
    drawn(dead_by_variant(found))
    drawn(dead_over_training(found))


def test_every_explanation_has_its_question() -> None:
    assert len({e.name for e in EXPLANATIONS}) == len(EXPLANATIONS) == 8
    assert {e.question for e in EXPLANATIONS} == set(QUESTIONS) - {"reference", "remedies"}


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
    data = data_of(figure)
    assert data["run"].tolist() == [variant.title for variant in VARIANTS.values()]
    assert data["dead latents (%), mean over seeds"].tolist() == pytest.approx(
        [found.mean(n) for n in VARIANTS], rel=1e-5
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
    data = data_of(figure)
    assert data["dead latents (%)"].tolist() == [15, 8, 30, 5, 8, 10, 8, 8, 16]
    assert data.columns.tolist()[:3] == ["run", "step", "dead latents (%)"] and len(data.columns) == 5
    assert {"standard", "NE loss", "standard, AdamW", "die in the standard run", "the others"} <= set(words(figure))
