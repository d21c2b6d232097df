"""Sums of latents, of an autoencoder made by hand and of one that is trained on vectors of other documents."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.studies.ground_truth.merged_latents import latent_probes, merged_latents
from nbkit.studies.shared.planted.probe_sums import merged_probes
from nbkit.studies.shared.planted.token_reads import TokenReads, held_out
from tests.examples.token_reads import labeled_by_hand, reads_by_hand

D = 12


@pytest.fixture(scope="module")
def reads() -> TokenReads:
    return reads_by_hand(labeled_by_hand(n=800), noise=0.05)


@pytest.fixture(scope="module")
def by_hand(reads: TokenReads) -> SparseAutoencoder:
    """Latents 3, 1, 0 and 2 are active at tokens 0, 1, 2 and 3, each more than the other three; latent 4 never is."""
    sae = SparseAutoencoder(D, 5, activation="topk", k=1)
    means = np.stack([reads.read[reads.token == i].mean(axis=0) for i in range(4)])
    others = reads.read[reads.token > 3].mean(axis=0)
    rows = np.linalg.pinv(means - others).T  # 1 at a token's own mean, 0 at the others'
    with torch.no_grad():
        sae.b_dec.copy_(torch.from_numpy(others))
        sae.w_enc.zero_()
        sae.w_enc[:, [3, 1, 0, 2]] = torch.from_numpy(rows.astype(np.float32)).T
        sae.b_enc.fill_(-0.5)
    return sae


def test_latents_are_probes_of_what_they_are_active_at(reads: TokenReads, by_hand: SparseAutoencoder) -> None:
    probes = latent_probes(by_hand, reads, seed=3)
    assert probes.names == ("latent 0", "latent 1", "latent 2", "latent 3")
    held = held_out(reads.document, 3)
    for number, token in enumerate((2, 1, 3, 0)):
        active = probes.member[:, number]
        assert (active == (reads.token == token)).mean() > 0.999
        rows = by_hand.w_enc.detach().numpy()[:, number]
        scale = probes.weights[number] / rows
        np.testing.assert_allclose(scale, scale[0], rtol=1e-5)
        score = (reads.read - probes.mean) @ probes.weights[number]
        assert score[active & ~held].mean() == pytest.approx(1, abs=1e-4)
    np.testing.assert_array_equal(probes.held_out, held)


def test_a_sums_examples_are_held_out_and_of_the_latent_that_pushes_most(
    reads: TokenReads, by_hand: SparseAutoencoder
) -> None:
    probes = latent_probes(by_hand, reads)
    units = merged_probes(probes, (2,), task="merged latents")
    assert len(units) == 2 and {labeled.task for labeled in units} == {"merged latents"}
    token_of = dict(zip(probes.names, (2, 1, 3, 0), strict=True))
    there = {row.tobytes() for row in reads.read[probes.held_out]}
    for labeled in units:
        clear = labeled.take(~labeled.ambiguous)
        text = clear.unit.text
        assert text is not None and labeled.difficulty["probe"] == "latents"
        names = [name for name in probes.names if f"{name} " in labeled.name.replace(",", " ")]
        assert len(names) == 2
        of = {label: {int(key) for key in text.keys[clear.labels == label]} for label in (0, 1)}
        assert sorted(of.values(), key=min) == sorted(({token_of[name]} for name in names), key=min)
        assert {row.tobytes() for row in clear.unit.read} <= there


def test_an_autoencoder_of_other_documents_finds_the_same_words(reads: TokenReads) -> None:
    other = reads_by_hand(labeled_by_hand(n=800, seed=9), noise=0.05)
    units = merged_latents(reads, other.read, terms=(2,), most=4)
    assert units
    for labeled in units:
        clear = labeled.take(~labeled.ambiguous)
        assert clear.unit.text is not None
        keys = [clear.unit.text.keys[clear.labels == label] for label in np.unique(clear.labels)]
        assert np.mean([np.bincount(each).max() / len(each) for each in keys]) > 0.9
    again = merged_latents(reads, other.read, terms=(2,), most=4)
    for one, two in zip(units, again, strict=True):
        np.testing.assert_array_equal(one.unit.weights, two.unit.weights)
    few = merged_latents(reads, other.read, terms=(40,), most=4)
    assert few == []
