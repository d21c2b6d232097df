"""One forward pass for several atlases: the bytes of every file are those of separate scans, interrupted or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.job import SCAN, AtlasJob
from nbkit.atlas.one_pass import AtlasPlan, scan_in_one_pass
from nbkit.atlas.scan import BlockScan, scan_together
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel
from nbkit.models.units import Units
from nbkit.parallel.turns import Turn
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.units.latents import SaeLatents, sae_latents
from nbkit.units.together import join_units
from tests.atlas.test_build import checksums
from tests.examples.tiny_models import D_MODEL, random_contexts

CONTEXTS = random_contexts(20, 24)
CONFIG = AtlasConfig(batch_size=4, block_size=8, max_examples=6)
N_BLOCKS = 3


@pytest.fixture
def model(tiny_model: Callable[[str], LanguageModel]) -> LanguageModel:
    return tiny_model("llama")


@pytest.fixture
def latents(model: LanguageModel) -> SaeLatents:
    """Of two autoencoders in layers before and behind the neurons that are scanned, wider than an MLP and narrower."""
    torch.manual_seed(0)
    saes = {
        hook: SparseAutoencoder(D_MODEL, d_sae)
        for hook, d_sae in (("blocks.0.mlp.hook_in", 80), ("blocks.2.hook_resid_post", 7))
    }
    return sae_latents(model, saes)


def plans(model: LanguageModel, latents: SaeLatents, folder: Path) -> list[AtlasPlan]:
    neurons = AtlasPlan(model, CONTEXTS, folder / "neurons", replace(CONFIG, layers=[1]))
    return [neurons, AtlasPlan(latents, CONTEXTS, folder / "latents", CONFIG)]


def scan(some: list[AtlasPlan], model: LanguageModel, latents: SaeLatents) -> None:
    scan_in_one_pass(some, join_units(model, latents), progress=False)


def built(some: list[AtlasPlan]) -> list[dict[str, str]]:
    return [checksums(plan.build(progress=False).path) for plan in some]


@pytest.fixture
def apart(model: LanguageModel, latents: SaeLatents, tmp_path: Path) -> list[dict[str, str]]:
    """Checksums of the files of the two atlases, each scanned by itself."""
    return built(plans(model, latents, tmp_path / "apart"))


def passes(model: LanguageModel, work: Callable[[], object]) -> list[int]:
    """How many contexts each forward pass of some work has read."""
    sizes: list[int] = []

    def count(_: object, given: tuple[object, ...], named: Mapping[str, Tensor]) -> None:
        sizes.append(len(named["input_ids"]))

    handle = model.network.register_forward_pre_hook(count, with_kwargs=True)
    work()
    handle.remove()
    return sizes


def test_the_bytes_are_those_of_two_scans_and_the_passes_those_of_one(
    model: LanguageModel, latents: SaeLatents, tmp_path: Path, apart: list[dict[str, str]]
) -> None:
    both = plans(model, latents, tmp_path)
    assert passes(model, lambda: scan(both, model, latents)) == [4] * 5
    assert passes(model, lambda: scan(both, model, latents)) == [], "all blocks are there"
    assert built(both) == apart
    assert [len(files) for files in apart] == [5, 6]


@pytest.mark.parametrize("whole", range(N_BLOCKS))
@pytest.mark.parametrize("n_left", [0, 1])
def test_killed_and_run_again_the_bytes_are_the_same(
    whole: int,
    n_left: int,
    model: LanguageModel,
    latents: SaeLatents,
    tmp_path: Path,
    apart: list[dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Behind some whole blocks, before or after the first of the two atlases has got the next."""
    both, left = plans(model, latents, tmp_path), 0
    leave = AtlasJob.leave

    def killed(job: AtlasJob, scan: BlockScan, number: int, write: Turn) -> None:
        nonlocal left
        if left == 2 * whole + n_left:
            raise KeyboardInterrupt
        left += 1
        leave(job, scan, number, write)

    with monkeypatch.context() as patch:
        patch.setattr(AtlasJob, "leave", killed)
        with pytest.raises(KeyboardInterrupt):
            scan(both, model, latents)
    assert [len(list((plan.folder / SCAN).glob("block-*"))) for plan in both] == [whole + n_left, whole]
    scanned: list[tuple[int, int]] = []

    def counted(units: Units, scans: Mapping[int, BlockScan]) -> None:
        scanned.extend((start, each.start // CONFIG.block_size) for start, each in scans.items())
        scan_together(units, scans)

    monkeypatch.setattr("nbkit.atlas.job.scan_together", counted)
    scan(both, model, latents)
    everything = [(start, number) for number in range(N_BLOCKS) for start in (0, model.n_layers)]
    assert scanned == everything[2 * whole + n_left :]
    assert built(both) == apart
    assert len(scanned) == len(everything) - 2 * whole - n_left, "the builds scan nothing"


def test_an_atlas_that_was_begun_alone_is_caught_up_with(
    model: LanguageModel, latents: SaeLatents, tmp_path: Path, apart: list[dict[str, str]]
) -> None:
    both = plans(model, latents, tmp_path)
    scan(both, model, latents)
    for number in (0, 2):
        (both[0].folder / SCAN / f"block-{number:06d}.safetensors").unlink()
    scan(both, model, latents)
    assert built(both) == apart


@pytest.mark.parametrize("there", [0, 1])
def test_if_one_is_there_the_other_is_scanned_alone(
    there: int, model: LanguageModel, latents: SaeLatents, tmp_path: Path, apart: list[dict[str, str]]
) -> None:
    both = plans(model, latents, tmp_path)
    both[there].build(progress=False)
    assert passes(model, lambda: scan(both, model, latents)) == []
    assert not list(both[1 - there].folder.glob(f"{SCAN}/*"))
    assert built(both) == apart


@pytest.mark.parametrize("change", [{"batch_size": 5}, {"block_size": 4}, {"weights": "folded"}, {}])
def test_what_can_t_share_a_pass_is_refused(
    change: dict[str, object], model: LanguageModel, latents: SaeLatents, tmp_path: Path
) -> None:
    neurons, of_latents = plans(model, latents, tmp_path)
    contexts = CONTEXTS if change else random_contexts(20, 24, seed=1)
    other = replace(of_latents, contexts=contexts, config=replace(CONFIG, **change))  # type: ignore[arg-type]
    with pytest.raises(NbkitError, match=r"can't be scanned in one pass.*: build each by itself"):
        scan([neurons, other], model, latents)
    assert not list(tmp_path.iterdir())
