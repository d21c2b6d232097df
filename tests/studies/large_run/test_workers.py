"""Simulated workers, against a slow reference that looks at every moment, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbkit.atlas.build import BLOCKS_A_TASK
from nbkit.errors import NbkitError
from nbkit.studies.large_run.coefficients import Kept
from nbkit.studies.large_run.cost_model import Costs
from nbkit.studies.large_run.workers import PARTS, Blocks, Cluster, schedule, simulate
from tests.examples.large_run import EACH, NOTHING, WORK

COSTS = Costs(WORK, EACH)


Costly = list[tuple[int, int]]
"""Seconds and bytes of a block behind none, one, … others."""


def moment_by_moment(own: Costly, learned: Costly | None, n_blocks: int, n_workers: int) -> tuple[int, int, int]:
    """The same in whole seconds, with a storage that takes one byte a second: who waits, who writes, who is free."""
    scanning: dict[int, int] = {}  # seconds left, by worker
    queue: list[int] = []  # of workers
    left, mine = [0] * n_workers, [0] * n_workers
    time = begun = done = written = busy = 0
    while done < n_blocks:
        for worker in range(n_workers):
            may_begin = begun < n_blocks and (learned is None or begun - done < 1 + done)
            if worker not in scanning and worker not in queue and may_begin:
                costs = [own[min(mine[worker], len(own) - 1)]]
                costs += [] if learned is None else [learned[min(done, len(learned) - 1)]]
                scanning[worker], left[worker] = min(cost[0] for cost in costs), min(cost[1] for cost in costs)
                mine[worker] += 1
                begun += 1
        time += 1
        if queue:
            written += 1
            left[queue[0]] -= 1
            if not left[queue[0]]:
                queue.pop(0)
                done += 1
        for worker in sorted(scanning):
            scanning[worker] -= 1
            busy += 1
            if not scanning[worker]:
                del scanning[worker]
                queue.append(worker)
    return time, busy, written


def blocks(*costs: tuple[float, float]) -> Blocks:
    return Blocks(*np.array(costs, dtype=float).T)


COSTLY = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 6)), min_size=1, max_size=4)


@given(own=COSTLY, learned=COSTLY | st.none(), n_blocks=st.integers(1, 20), n_workers=st.integers(1, 6))
def test_as_moment_by_moment(own: Costly, learned: Costly | None, n_blocks: int, n_workers: int) -> None:
    even = np.ones(n_blocks)
    others = None if learned is None else blocks(*learned)
    found = schedule(blocks(*own), others, even, even, n_workers, 1.0, np.inf)
    assert (found.end, found.busy, found.written) == moment_by_moment(own, learned, n_blocks, n_workers)


def test_by_hand() -> None:
    """Two workers, blocks of 4 s and 2 bytes: written at 4 to 6 and 6 to 8; the third block is scanned from 6 to 10."""
    one, same, even = np.ones(1), blocks((4, 2)), np.ones(3)
    assert schedule(same, None, even, even, 2, 1.0, np.inf).end == 12
    assert schedule(same, None, even, even, 2, np.inf, np.inf).end == 8
    assert schedule(same, None, even, even, 2, np.inf, 0.5).end == 16, "each writes for 4 s, at the same time"
    slow = np.array([1.0, 3.0, 1.0])
    found = schedule(same, None, slow, even, 2, np.inf, np.inf)
    assert (found.end, found.busy) == (12, 20)
    assert schedule(same, None, one, 0.5 * one, 1, 1.0, np.inf).end == 5, "half a block has half the bytes"


def test_by_hand_with_workers_that_learn() -> None:
    """The first block alone, of 4 s; the next two at once know it, and the last, begun behind one of them, two."""
    learned, even = blocks((4, 8), (3, 4), (2, 2), (1, 1)), np.ones(4)
    found = schedule(blocks((4, 8)), learned, even, even, 3, np.inf, np.inf)
    assert (found.end, found.busy, found.written) == (4 + 3 + 2, 4 + 3 + 3 + 2, 8 + 4 + 4 + 2)
    own = blocks((4, 8), (1, 1))
    assert schedule(own, learned, even, even, 1, np.inf, np.inf).written == 8 + 3, "what it has seen itself tells more"


@pytest.mark.parametrize("n_workers", [1, 3, 63, 200])
@pytest.mark.parametrize("storage", [1e4, 1e12])
def test_parts_add_up_to_what_a_worker_sees(n_workers: int, storage: float) -> None:
    run = simulate(COSTS, Cluster(n_workers, storage, network=1e12))
    assert tuple(run.parts) == PARTS and min(run.parts.values()) > -1e-9
    assert run.wall == pytest.approx(sum(run.parts.values()))
    assert run.worker_hours == pytest.approx(n_workers * run.wall / 3600)
    assert run.read == 2 * run.written
    assert run.rate <= storage * (1 + 1e-9)


def test_one_worker_does_one_after_another() -> None:
    costs = Costs(replace(WORK, n_contexts=32), EACH)
    run = simulate(costs, Cluster(1, storage=1e30, network=1e30))
    written = costs.block_bytes(16, 0) + costs.block_bytes(16, 16)
    assert run.written == pytest.approx(written)
    scanned = costs.scan(16, 0) + costs.scan(16, 16)
    of_layers = 4 * (costs.merge(written / 4) + costs.metrics())
    assert run.wall == pytest.approx(EACH.start + scanned + written / EACH.check + of_layers)
    assert run.parts["too few blocks"] == pytest.approx(0) and run.parts["too few layers"] == 0


def test_a_worker_of_fewer_blocks_rules_less_out_unless_it_learns() -> None:
    apart, together = ([simulate(COSTS, Cluster(n, learning=yes)).written for n in (1, 4, 16, 64)] for yes in (0, 1))
    assert apart == sorted(apart) and apart[-1] > 2 * apart[0]
    assert together == sorted(together) and together[0] == apart[0]
    assert together[-1] - together[0] < 0.5 * (apart[-1] - apart[0])
    forgetful = replace(EACH, candidates=Kept(1.0, 1.0, 1.0), levels=NOTHING)
    same = [simulate(Costs(WORK, forgetful), Cluster(n)).written for n in (1, 64)]
    assert same[0] == pytest.approx(same[1]), "where nothing is ruled out, nothing is lost"


def test_ranks_are_not_told() -> None:
    """Where the threshold rules nothing out, ranks rule out what a worker has seen itself."""
    ranked = replace(EACH, candidates=Kept(1.0, 1.0, 1.0, ranks=20), levels=NOTHING)
    written = [simulate(Costs(WORK, ranked), Cluster(4, learning=yes)).written for yes in (False, True)]
    assert written[0] == pytest.approx(written[1], rel=0.01)


def test_the_bottleneck_is_named() -> None:
    free = replace(EACH, candidates=NOTHING, levels=NOTHING, neuron_bytes=0.0, metric=0.0, start=0.0)
    fast = replace(free, effect_flops=1e30)
    roomy = {"storage": 1e30, "network": 1e30}
    cases = {
        "compute": (fast, Cluster(1, **roomy)),
        "too few blocks": (fast, Cluster(500, **roomy)),
        "start-up": (replace(fast, start=1e6), Cluster(1, **roomy)),
        "shared storage": (EACH, Cluster(60, storage=1e3, network=1e30)),
        "check of the blocks": (replace(EACH, check=1.0), Cluster(60, **roomy)),
        "making files": (replace(EACH, write=1.0), Cluster(1, **roomy)),
        "merge": (replace(fast, effect_flops=1.0), Cluster(1, **roomy)),
        "too few layers": (replace(fast, effect_flops=1.0), Cluster(500, **roomy)),
        "metrics": (replace(fast, metric=1e3), Cluster(4, **roomy)),
    }
    assert set(cases) == set(PARTS)
    for name, (each, cluster) in cases.items():
        assert simulate(Costs(WORK, each), cluster).bottleneck == name


def test_one_merger_takes_all_layers() -> None:
    all_merge, one_merges = (simulate(COSTS, Cluster(8, mergers=n)) for n in (None, 1))
    of_layer = COSTS.merge(one_merges.written / 4) + COSTS.metrics()
    checks = [run.parts["check of the blocks"] for run in (one_merges, all_merge)]
    assert one_merges.wall - all_merge.wall == pytest.approx(3 * of_layer + checks[0] - checks[1])
    assert checks[0] == pytest.approx(checks[1] * min(8, -(-WORK.n_blocks // BLOCKS_A_TASK)))


def test_unequal_times_follow_the_seed() -> None:
    costs = Costs(WORK, replace(EACH, spread=0.5))
    cluster = Cluster(8)
    assert simulate(costs, cluster, 1) == simulate(costs, cluster, 1) != simulate(costs, cluster, 2)
    busy = [simulate(costs, Cluster(1), seed).parts["compute"] for seed in range(40)]
    assert np.mean(busy) == pytest.approx(simulate(COSTS, Cluster(1)).parts["compute"], rel=0.05), "on average the same"


@pytest.mark.parametrize("fields", [{"n_workers": 0}, {"n_workers": 1, "storage": 0}, {"n_workers": 1, "mergers": 0}])
def test_impossible_clusters_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(NbkitError, match=r"at least 1|above 0"):
        Cluster(**fields)
