"""Atlases that are not there yet, and one pass over their contexts that scans several of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.build import build_atlas, open_job
from nbkit.atlas.build_folder import begin, is_finished, locked
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.job import AtlasJob, scan_missing
from nbkit.atlas.manifest import Manifest
from nbkit.errors import NbkitError

if TYPE_CHECKING:
    from nbkit.corpora import Contexts
    from nbkit.models import LanguageModel
    from nbkit.models.units import Units


@dataclass(frozen=True, eq=False)
class AtlasPlan:
    """What an atlas is made of that is not there yet, or not whole."""

    model: LanguageModel | Units
    contexts: Contexts
    folder: Path
    config: AtlasConfig

    @property
    def job(self) -> AtlasJob:
        """Its parts."""
        return open_job(self.model, self.contexts, self.folder, self.config)

    @property
    def manifest(self) -> Manifest:
        """That of the atlas which `build` makes."""
        return self.job.manifest()

    def build(self, progress: bool = True) -> Atlas:
        """The atlas, made of what is there and what is missing: see `build_atlas`."""
        return build_atlas(self.model, self.contexts, self.folder, self.config, progress=progress)


def scan_in_one_pass(plans: Sequence[AtlasPlan], units: Units, progress: bool = True) -> None:
    """Scans the contexts for several atlases with one forward pass. Each one's `build` finds its blocks then, and makes
    the same bytes of them as alone. Interrupted, and run again, it goes on where it was.

    If one of the atlases is there already, nothing is done: there is nothing to share a pass with.

    Args:
        plans: of units of one model, on the same contexts.
        units: those of all plans, as `nbkit.join_units` joins them.

    Raises:
        NbkitError: the contexts are others, or their batches or blocks; weights are folded, which `units` don't have; a
            folder can't be written, or holds something else.
    """
    if len({(plan.contexts.sha256, plan.config.batch_size, plan.config.block_size) for plan in plans}) > 1:
        raise NbkitError(
            "atlases of different contexts, or with batches or blocks of different sizes, can't be scanned in one "
            "pass: build each by itself"
        )
    if any(plan.config.weights != "native" for plan in plans):
        raise NbkitError("an atlas of folded weights can't be scanned in one pass with another: build each by itself")
    jobs = [plan.job for plan in plans]
    with ExitStack() as held:
        for plan in plans:
            held.enter_context(locked(plan.folder))
        if any(is_finished(plan.folder, job.manifest()) for plan, job in zip(plans, jobs, strict=True)):
            return
        for plan, job in zip(plans, jobs, strict=True):
            begin(plan.folder, job, job.manifest())
        scan_missing(jobs, units, progress)
