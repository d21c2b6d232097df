"""The experiments on dead latents: their figures on small runs, and what is made of hand-made ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import nbkit.studies.dead_latents.experiment
from nbkit.errors import NbkitError
from nbkit.files import write_table
from nbkit.mnist.hidden import Hidden
from nbkit.sae.config import SaeConfig
from nbkit.sae.evaluation import DEAD_BELOW
from nbkit.sae.training import train_sae
from nbkit.studies.dead_latents.experiment import dead_latents
from nbkit.studies.dead_latents.interventions import InterventionRun
from nbkit.studies.dead_latents.variants import QUESTIONS, VARIANTS, Question
from tests.examples.dead_latents import example_dead
from tests.examples.evaluated import evaluated
from tests.studies.trade_off.test_experiment import small_hidden

START = 8
SMALL = {"d_sae": 24, "batch_size": 16, "ne_start": START, "learning_rate": 0.04, "weight_decay": 0.05, "l1": 1e-3}


def small(question: Question) -> Question:
    """The same variants of small autoencoders that die fast."""
    variants = {
        name: replace(variant, config=replace(variant.config, **SMALL)) for name, variant in question.variants.items()
    }
    return replace(question, variants=variants)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A cache of its own, small activations and small variants."""
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(nbkit.studies.dead_latents.experiment, "hidden_of", small_hidden)
    monkeypatch.setattr(
        nbkit.studies.dead_latents.experiment, "QUESTIONS", {name: small(q) for name, q in QUESTIONS.items()}
    )
    monkeypatch.setattr(nbkit.studies.dead_latents.experiment, "COUNT_EVERY", 3)
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    nbkit.studies.dead_latents.experiment._hidden.cache_clear()
    nbkit.studies.dead_latents.experiment._begun.cache_clear()


def run_of(
    name: str, seed: int, hidden: Hidden, given: torch.Tensor | None = None
) -> tuple[InterventionRun, list[np.ndarray]]:
    """A variant trained from the beginning with one seed, and the highest activations after each step."""
    config = replace(VARIANTS[name].config, **SMALL, seed=seed)
    run = InterventionRun([hidden.train], [config], VARIANTS[name].what, given)
    highest = []
    while run.step < run.n_steps:
        run.advance()
        [sae] = run.autoencoders()
        highest.append(sae.encode(hidden.train).amax(0).detach().numpy())
    return run, highest


def test_small_runs_have_the_figures_of_their_variants(cache: Path) -> None:
    found = dead_latents(2, 3, ["lengths", "decay"], n_jobs=1, progress=False)
    assert found.questions.keys() == {"reference", "lengths", "decay"}
    assert set(found.table["variant"]) == {name for q in found.questions.values() for name in q.variants}
    for seed in (3, 4):
        hidden = small_hidden(seed)
        standard, _ = run_of("standard", seed, hidden)
        ne, _ = run_of("ne", seed, hidden)
        others = {"lengthened": ne, "ne_shortened": standard}
        doomed = (standard.highest() < DEAD_BELOW)[0]
        assert 3 <= doomed.sum() <= 21, "else the figures below would be of nothing"
        for name in ("standard", "ne", *found.questions["lengths"].variants, *found.questions["decay"].variants):
            given = torch.stack(others[name].lengths) if name in others else None
            run, highest = run_of(name, seed, hidden, given)
            mine = found.table[(found.table["variant"] == name) & (found.table["seed"] == seed)].set_index("step")
            counted = (*range(3, run.n_steps, 3), START) if VARIANTS[name].counted else (START,)
            assert sorted(mine.index) == sorted({*counted, run.n_steps})
            for step, row in mine.iterrows():
                dead = highest[int(str(step)) - 1] < DEAD_BELOW
                assert row["dead"] == pytest.approx(100 * dead.mean()), (name, step)
                length = run.lengths[int(str(step)) - 1]
                assert row["length_doomed"] == pytest.approx(np.median(length[doomed]), rel=1e-4)
                assert row["length_spared"] == pytest.approx(np.median(length[~doomed]), rel=1e-4)
            last = mine.loc[run.n_steps]
            [sae] = run.autoencoders()
            metrics = evaluated(sae, hidden.train, hidden.test).summary
            for column in ("dead", "l0", "mse"):
                assert last[column] == pytest.approx(metrics[column], rel=1e-4)
            then, now = (highest[step - 1] < DEAD_BELOW for step in (START, run.n_steps))
            assert last["dead_at_start"] == pytest.approx(100 * then.mean())
            assert last["died_later"] == pytest.approx(100 * now[~then].mean())
            if then.any():
                assert last["came_back"] == pytest.approx(100 * (~now[then]).mean())
                assert last["fired"] == pytest.approx(100 * run.fired.numpy()[then].mean())
            assert np.isnan(last["resampled_alive"])


def test_the_standard_variant_is_the_standard_autoencoder(cache: Path) -> None:
    found = dead_latents(2, 0, [], n_jobs=1, progress=False)
    for seed, dead, mse in zip((0, 1), found.values("standard"), found.values("standard", "mse"), strict=True):
        hidden = small_hidden(seed)
        metrics = evaluated(
            train_sae(hidden.train, SaeConfig(**SMALL, seed=seed), progress=False), hidden.train, hidden.test
        ).summary
        assert (dead, mse) == (pytest.approx(metrics["dead"]), pytest.approx(metrics["mse"], rel=1e-4))


def test_resampled_latents_are_followed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    question = small(QUESTIONS["remedies"])
    often = {
        name: replace(
            variant, what=replace(variant.what, silent_after=2, resample_every=variant.what.resample_every and 5)
        )
        for name, variant in question.variants.items()
    }
    asked = {"reference": small(QUESTIONS["reference"]), "remedies": replace(question, variants=often)}
    monkeypatch.setattr(nbkit.studies.dead_latents.experiment, "QUESTIONS", asked)
    found = dead_latents(2, 0, ["remedies"], n_jobs=1, progress=False)
    alive = {name: found.values(name, "resampled_alive") for name in often}
    assert {name for name, values in alive.items() if np.isfinite(values).all()} == {
        n for n in often if "resampled" in n
    }
    assert np.isnan(alive["auxiliary"]).all()


def test_runs_are_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = dead_latents(2, 0, [], n_jobs=1, progress=False)
    monkeypatch.setattr(nbkit.studies.dead_latents.experiment, "_experiments", lambda *_: pytest.fail("trained again"))
    pd.testing.assert_frame_equal(dead_latents(2, 0, ["reference"], progress=False).table, first.table)


@pytest.mark.parametrize(
    ("questions", "kept"), [(["decay"], "e22bc3b296"), (["gradient"], "30716b629a"), (list(QUESTIONS), "f2860799c2")]
)
def test_tables_that_were_kept_before_stay_valid(
    questions: list[str], kept: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The names of the first release, when the reversed gradient was another option's."""
    table = example_dead().table
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(torch, "__version__", "2.13.0+cpu")
    (tmp_path / "results").mkdir()
    write_table(table, tmp_path / "results" / f"dead-latents-{kept}.parquet")
    pd.testing.assert_frame_equal(dead_latents(2, 0, questions, progress=False).table, table)


def test_the_experiment_changes_one_thing_at_a_time() -> None:
    """Every variant is the standard config or that with the loss; L1 or the gradient differs where that is asked."""
    standard, ne = VARIANTS["standard"].config, VARIANTS["ne"].config
    assert standard == SaeConfig() and ne == replace(standard, ne=5e-3)
    assert len(VARIANTS) == sum(len(question.variants) for question in QUESTIONS.values())
    for name, variant in VARIANTS.items():
        assert replace(variant.config, l1=standard.l1, ne_gradient="whole") in (standard, ne)
        assert (variant.config.ne_gradient == "opposite") == ("reversed" in name)
        assert (variant.config.l1 != standard.l1) == (name in QUESTIONS["sparsity"].variants)
        assert (variant.what.lengths == "given") == (variant.lengths_of is not None)
        assert variant.lengths_of in (None, *QUESTIONS["reference"].variants)
    whats = [(variant.what, variant.config, variant.lengths_of) for variant in VARIANTS.values()]
    assert len(set(whats)) == len(whats)


def test_shares_of_the_saving() -> None:
    found = example_dead(noise=0)
    assert found.values("ne").tolist() == [10.0] * 4 and found.mean("ne", "mse") == 0.5
    assert found.saved("ne_rare") == pytest.approx([0.9] * 4)
    assert found.saved("resampled") == pytest.approx([-0.05] * 4)
    # the lengths of the NE run save 12 of 20 points; without them 14 of 20 are lost
    assert found.by_length() == pytest.approx([0.65] * 4)
    with pytest.raises(NbkitError, match="There is no variant 'nonsense': choose from standard, ne"):
        found.values("nonsense")


def test_shares_are_of_a_seeds_own_saving() -> None:
    found = example_dead(noise=0)
    table = found.table.copy()
    table.loc[table["seed"] == 1, "dead"] *= 2
    assert replace(found, table=table).saved("ne_rare") == pytest.approx([0.9] * 4)


def test_dead_share_at_a_given_l0() -> None:
    found = example_dead(noise=0)  # standard: 30% dead at L0 2; denser: 32% at L0 8
    at = found.at_sparsity(["denser", "standard"], np.array([2.0, 4.0, 8.0, 9.0]))
    assert at[:3] == pytest.approx([30.0, 31.0, 32.0]) and np.isnan(at[3])


def test_the_course_is_of_variants_that_were_counted() -> None:
    found = example_dead()
    assert set(found.course["variant"]) == {"standard", "ne", "adamw"}
    assert set(found.course["step"]) == {50, 200, 469}


def test_bad_input() -> None:
    with pytest.raises(NbkitError, match="n_seeds is 1: intervals over seeds need at least 2"):
        dead_latents(1)
    with pytest.raises(NbkitError, match="There is no question 'why': choose from reference, latents"):
        dead_latents(2, questions=["why"])
