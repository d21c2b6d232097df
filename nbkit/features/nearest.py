"""The nearest rows of a matrix by cosine, within a layer and in the others, without ever holding all similarities.

The rows of a layer are cut into blocks, and every pair of blocks is multiplied once: the product serves the rows of
both. For each row the K best so far are kept with their exact cosines, and only what may beat them is looked at again.
So the product may be rough, if its error is bounded: entries within that bound of a row's K-th best cosine are computed
exactly, everything else can't be among the nearest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from nbkit.errors import NbkitError
from nbkit.parallel.cluster import Crew, current_client
from nbkit.parallel.threads import one_thread

K = 4
"""Neighbors of a row in each scope."""
SAME_LAYER, OTHER_LAYERS = 0, 1
EXACT_UP_TO = 1_000_000
"""Rows up to which all pairs are compared; with more, an index finds those in other layers approximately."""

QUERIES_AT_ONCE = 2048
REVIEW_AFTER = 3.0
"""Seconds between two looks at how many threads are worth it."""
PAIRS_OF_A_TASK = 256  # of blocks, on a cluster
PAIRS_AT_ONCE = 512  # rows of so many pairs stay in a core's cache


def nearest(
    vectors: Float[np.ndarray, "n d"],
    layer: Int[np.ndarray, " n"],
    neuron: Int[np.ndarray, " n"],
    progress: bool = False,
    desc: str = "neighbors",
) -> tuple[Int[np.ndarray, "n 2 K"], Float[np.ndarray, "n 2 K"]]:
    """The K rows with the largest cosine similarity to each row among those of other neurons.

    Exact up to a million rows: all pairs are compared, and of equal cosines (as float32) the smaller row number comes
    first. Past it, the rows of the same layer are still exact, and an inverted-file index (faiss) finds those of other
    layers. Runs on a GPU if there is one.

    Args:
        vectors: none of them zero.
        layer: of each row, not decreasing.
        neuron: a number of each row's neuron over all layers, not decreasing; its rows are never each other's
            neighbors.

    Returns:
        Row numbers and cosines, the best first: [:, 0] in the same layer, [:, 1] in the others; -1 and 0 where there
        are fewer than K. The same on the workers of a cluster (see `nbkit.on_cluster`).

    Raises:
        NbkitError: if there are more than a million rows and faiss is not installed.
    """
    search = _Search(_normalized(vectors), layer, neuron)
    approximate = len(vectors) > EXACT_UP_TO
    pairs = [pair for pair in search.pairs() if not approximate or search.layer_of(pair[0]) == search.layer_of(pair[1])]
    with tqdm(total=len(pairs), desc=desc, unit="block", disable=not progress) as bar:
        if (client := current_client()) is not None:
            parts = [pairs[start : start + PAIRS_OF_A_TASK] for start in range(0, len(pairs), PAIRS_OF_A_TASK)]
            tasks = {f"{desc}, part {number}": (part,) for number, part in enumerate(parts)}
            with Crew(client, (search.unit.cpu(), layer, neuron)) as crew:
                for name, (number, cosine) in crew.each(_found_in, tasks):
                    search.take_in(number, cosine)
                    bar.update(len(tasks[name][0]))
        else:
            with _FreeThreads(search.unit) as threads:
                for first, second in pairs:
                    threads.review()
                    search.compare(first, second)
                    bar.update()
    if approximate:
        search.look_up_other_layers()
    found = search.number >= 0
    return search.number.cpu().numpy(), torch.where(found, search.cosine, 0).cpu().numpy()


class _Search:
    """The best found so far for every row: `number` (n, 2, K) and `cosine` (n, 2, K), -1 and -inf where none is."""

    def __init__(self, unit: Float[Tensor, "n d"], layer: np.ndarray, neuron: np.ndarray) -> None:
        n = len(unit)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.unit, self.neuron = unit.to(device), torch.tensor(neuron).to(device)
        self.number = torch.full((n, 2, K), -1, dtype=torch.int32, device=device)
        self.cosine = torch.full((n, 2, K), -torch.inf, device=device)
        self.layer = np.asarray(layer)
        self.dtype = torch.bfloat16 if device.type == "cpu" and _bfloat16_is_faster(unit) else torch.float32
        self.error = _largest_error(self.unit, self.dtype)
        starts = np.flatnonzero(np.diff(self.layer, prepend=np.nan) != 0)
        self.layers = list(pairwise([*starts.tolist(), n]))

    def layer_of(self, block: slice) -> int:
        return int(self.layer[block.start])

    def pairs(self) -> Iterator[tuple[slice, slice]]:
        """Every pair of blocks of rows once; no block goes over a layer's end.

        Near layers come first: they are the most alike, and the better the early finds, the fewer follow.
        """
        blocks = []
        for start, stop in self.layers:
            cuts = np.linspace(start, stop, -(-(stop - start) // QUERIES_AT_ONCE) + 1).astype(int).tolist()
            blocks += [slice(*cut) for cut in pairwise(cuts)]
        for distance in range(len(blocks)):
            yield from zip(blocks, blocks[distance:], strict=False)

    def compare(self, first: slice, second: slice) -> None:
        """Finds neighbors of the rows of two blocks in each other."""
        scope = SAME_LAYER if self.layer_of(first) == self.layer_of(second) else OTHER_LAYERS
        rough = self.unit[first].to(self.dtype) @ self.unit[second].to(self.dtype).T
        if self.neuron[first.stop - 1] >= self.neuron[second.start]:  # a neuron has rows in both
            rough.masked_fill_(self.neuron[first, None] == self.neuron[second], -torch.inf)
        i, j = _at_least(rough, self._floor(first, scope, rough), self._floor(second, scope, rough.T))
        i, j = i + first.start, j + second.start
        cosine = self._exact(i, j)
        self._absorb(scope, i, j, cosine)
        if first != second:
            self._absorb(scope, j, i, cosine)

    def take_in(self, number: Int[Tensor, "n 2 K"], cosine: Float[Tensor, "n 2 K"]) -> None:
        """Takes in what another search of the same rows found."""
        for scope in (SAME_LAYER, OTHER_LAYERS):
            row, place = (number[:, scope] >= 0).nonzero(as_tuple=True)
            there = row.to(self.unit.device)
            other, value = (each[row, scope, place].to(self.unit.device) for each in (number, cosine))
            self._absorb(scope, there, other, value)

    def look_up_other_layers(self) -> None:
        """Finds neighbors in other layers with an approximate index; their cosines are exact."""
        unit = self.unit.cpu().numpy()
        for (start, stop), found in zip(self.layers, _look_up(unit, self.layers), strict=True):
            i = torch.arange(start, stop).repeat_interleave(found.shape[1]).to(self.unit.device)
            j = torch.from_numpy(found.ravel()).to(self.unit.device)
            i, j = i[j >= 0], j[j >= 0]
            self._absorb(OTHER_LAYERS, i, j, self._exact(i, j))

    def _floor(self, block: slice, scope: int, rough: Float[Tensor, "rows others"]) -> Float[Tensor, " rows"]:
        """What an entry of `rough` must reach to be a neighbor of its row, its error included."""
        kth = self.cosine[block, scope, -1]
        if bool((kth == -torch.inf).any()):
            found = rough.topk(min(K, rough.shape[1]), dim=1).values.float()
            kth = torch.maximum(kth, found[:, -1] - self.error if found.shape[1] == K else torch.full_like(kth, -2.0))
        return torch.clamp(kth - self.error, min=-2.0)  # so that what is masked stays out

    def _exact(self, i: Int[Tensor, " pairs"], j: Int[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
        """Cosines of pairs of rows, the same for (i, j), (j, i) and wherever the pair stands."""
        step = PAIRS_AT_ONCE if self.unit.device.type == "cpu" else 256 * PAIRS_AT_ONCE
        products = (
            self.unit.index_select(0, a) * self.unit.index_select(0, b)
            for a, b in zip(i.split(step), j.split(step), strict=True)
        )
        sums = [product.sum(1, dtype=torch.float64).float() for product in products]
        return torch.cat(sums).clamp_(-1, 1) if sums else self.cosine.new_empty(0)

    def _absorb(self, scope: int, row: Tensor, other: Tensor, cosine: Tensor) -> None:
        """Takes pairs in: `other` may be among the neighbors of `row`."""
        better = cosine >= self.cosine[row, scope, -1]
        rows, place = row[better].unique(return_inverse=True)
        kept = torch.arange(len(rows), device=rows.device).repeat_interleave(K)
        place = torch.cat([kept, place])
        other = torch.cat([self.number[rows, scope].flatten(), other[better].int()])
        cosine = torch.cat([self.cosine[rows, scope].flatten(), cosine[better]])
        order = other.argsort(stable=True)
        order = order[cosine[order].argsort(stable=True, descending=True)]
        order = order[place[order].argsort(stable=True)]
        counts = place.bincount()  # at least K of each, which stand together now
        best = order[(counts.cumsum(0) - counts)[:, None] + torch.arange(K, device=order.device)]
        self.number[rows, scope], self.cosine[rows, scope] = other[best], cosine[best]


def _found_in(
    rows: tuple[Float[Tensor, "n d"], np.ndarray, np.ndarray], pairs: Sequence[tuple[slice, slice]]
) -> tuple[Int[Tensor, "n 2 K"], Float[Tensor, "n 2 K"]]:
    """What some pairs of blocks hold, found by a worker of a cluster."""
    search = _Search(*rows)
    for first, second in pairs:
        search.compare(first, second)
    return search.number.cpu(), search.cosine.cpu()


def _normalized(vectors: Float[np.ndarray, "n d"]) -> Float[Tensor, "n d"]:
    unit = torch.empty(vectors.shape)
    for start in range(0, len(vectors), QUERIES_AT_ONCE):
        wide = torch.from_numpy(np.asarray(vectors[start : start + QUERIES_AT_ONCE], dtype=np.float64))
        unit[start : start + QUERIES_AT_ONCE] = wide / wide.norm(dim=1, keepdim=True)
    return unit


def _largest_error(unit: Float[Tensor, "n d"], dtype: torch.dtype) -> float:
    """How far a product of blocks in `dtype` can be from the cosine of two rows.

    The sum is made in float32. In bfloat16, rounding moves each vector by at most its own rounding error (Cauchy and
    Schwarz), and the result is rounded once more. A GPU may have been allowed to round float32 factors to 11 bits.
    """
    sum_error = unit.shape[1] * 2.0**-23
    if dtype == torch.float32:
        return sum_error + (2.0**-9 if unit.is_cuda else 0)
    rounding = [(part - part.to(dtype).float()).norm(dim=1) for part in unit.split(QUERIES_AT_ONCE)]
    moved = float(torch.cat([torch.zeros(1), *rounding]).max())  # 0 of no vectors
    return moved * (2 + moved) + 2.0**-8 + sum_error


class _FreeThreads:
    """Lets PyTorch use all its threads, but one alone while other work keeps the cores busy.

    Threads that share a product wait for the last of them. On a core that others use, that one is often not running,
    and the product takes many times as long as with a single thread.
    """

    def __init__(self, unit: Float[Tensor, "n d"]) -> None:
        self.sample, self.most = unit[:QUERIES_AT_ONCE], torch.get_num_threads()
        self.again = -torch.inf
        self.alone = self.most == 1 or unit.is_cuda

    def __enter__(self) -> _FreeThreads:
        return self

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self.most)

    def review(self) -> None:
        """Looks every few seconds which is faster now."""
        if self.alone or time.perf_counter() < self.again:
            return
        seconds = {}
        for n in (self.most, 1):
            torch.set_num_threads(n)
            seconds[n] = _seconds_of_product(self.sample)
        torch.set_num_threads(self.most if seconds[self.most] < seconds[1] else 1)
        self.again = time.perf_counter() + REVIEW_AFTER


def _bfloat16_is_faster(unit: Float[Tensor, "n d"]) -> bool:
    """Whether this processor multiplies in bfloat16 by itself; many do it by a detour that takes longer. By what a
    single thread takes of the processor: other work doesn't count then, nor do threads that wait for each other."""
    sample = unit[:QUERIES_AT_ONCE]
    with one_thread():
        short, full = (_seconds_of_product(each, time.thread_time) for each in (sample.to(torch.bfloat16), sample))
    return short < 0.7 * full


def _seconds_of_product(sample: Float[Tensor, "rows d"], clock: Callable[[], float] = time.perf_counter) -> float:
    tries = []
    for _ in range(3):
        begin = clock()
        _ = sample @ sample[:256].T
        tries.append(clock() - begin)
    return min(tries)


def _at_least(
    rough: Float[Tensor, "rows columns"], row_floor: Float[Tensor, " rows"], column_floor: Float[Tensor, " columns"]
) -> tuple[Int[Tensor, " found"], Int[Tensor, " found"]]:
    """Where an entry reaches the floor of its row or that of its column."""
    rows, columns = row_floor[:, None].to(rough.dtype), column_floor[None].to(rough.dtype)
    if rough.is_cuda:
        i, j = ((rough >= rows) | (rough >= columns)).nonzero(as_tuple=True)
        return i, j
    # On a CPU NumPy compares several times as fast as PyTorch.
    if rough.dtype == torch.bfloat16:
        if bool((row_floor > 0).all()) and bool((column_floor > 0).all()):
            # Above zero floating-point numbers are in the order of their bits, and negative ones stay below.
            rough, rows, columns = (tensor.view(torch.int16) for tensor in (rough, rows, columns))
        else:
            rough, rows, columns = rough.float(), rows.float(), columns.float()
    reached = rough.numpy() >= rows.numpy()
    reached |= rough.numpy() >= columns.numpy()
    flat = torch.from_numpy(np.flatnonzero(reached))
    return flat // rough.shape[1], flat % rough.shape[1]


def _look_up(unit: Float[np.ndarray, "n d"], layers: list[tuple[int, int]]) -> Iterator[Int[np.ndarray, "rows found"]]:
    """For the rows of each layer, the numbers of near rows outside it; -1 where the index finds fewer."""
    try:
        faiss = import_module("faiss")  # optional: an atlas of this size is rare
    except ImportError as error:
        raise NbkitError(
            f"{len(unit):,} features are too many to compare every pair (the limit is {EXACT_UP_TO:,}): install the "
            "approximate index with `pip install faiss-cpu`"
        ) from error
    n, width = unit.shape
    n_lists = max(1, int(4 * n**0.5) if n >= 160_000 else n // 100)  # at least a hundred rows to learn a list from
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, n_lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    sample = np.random.default_rng(0).permutation(n)[: 100 * n_lists]
    index.train(unit[np.sort(sample)])
    index.add(unit)
    for start, stop in layers:
        outside = faiss.IDSelectorNot(faiss.IDSelectorRange(start, stop))
        parameters = faiss.SearchParametersIVF(sel=outside, nprobe=min(n_lists, 64))
        yield index.search(unit[start:stop], 2 * K, params=parameters)[1]
