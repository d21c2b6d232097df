"""An atlas on the workers of a cluster, and in the jobs of an array: the same bytes, whatever becomes of them."""

from __future__ import annotations

import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from logging import CRITICAL, getLogger
from pathlib import Path
from typing import Any

import pytest
import torch
from distributed import Client, LocalCluster

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.board import Board, read_board
from nbkit.atlas.build import build_atlas, check_scanned, open_job, scan_blocks
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.job import BOARD, SCAN, AtlasJob
from nbkit.atlas.places import OF, LocalPart, LocalPlace
from nbkit.atlas.remote import RemotePlace
from nbkit.errors import NbkitError
from nbkit.features.importance import keep_importance, kept_importance
from nbkit.features.neighbors import neighbors_of
from nbkit.files import notes_of, sha256_of
from nbkit.models import LanguageModel, load_model
from nbkit.parallel import cluster as cluster_module
from nbkit.parallel.cluster import done, most_at_a_time, on_cluster
from nbkit.parallel.opened_client import opened_client
from nbkit.parallel.pool import in_processes
from tests.examples.begin_and_end import begin_and_end
from tests.examples.latent_units import tiny_latents
from tests.examples.tiny_models import make_network, make_tokenizer, random_contexts

CONTEXTS = random_contexts(100, 24)
CONFIG = AtlasConfig(batch_size=4, block_size=8, max_examples=6)
N_BLOCKS = 13


@pytest.fixture(scope="module")
def model(tiny_model: Callable[[str], LanguageModel]) -> LanguageModel:
    return tiny_model("llama")


@pytest.fixture(scope="module")
def alone(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """sha256 of the files of an atlas that one process made."""
    out = tmp_path_factory.mktemp("alone")
    build(model, out)
    return sums(out)


def build(model: Any, out: Path, **options: Any) -> Atlas:
    return build_atlas(model, CONTEXTS, out, CONFIG, progress=False, **options)


def sums(folder: Path) -> dict[str, str]:
    """sha256 of what is in an atlas's folder."""
    return {path.name: sha256_of(path) if path.is_file() else "folder" for path in folder.iterdir() if path.suffix}


def test_two_workers_leave_the_same_bytes(
    model: LanguageModel, alone: dict[str, str], client: Client, tmp_path: Path
) -> None:
    build(model, tmp_path, client=client)
    assert sums(tmp_path) == alone and len(alone) == 7 and not (tmp_path / SCAN).exists()


def test_a_model_that_was_loaded_elsewhere_is_sent_with_its_weights(client: Client, tmp_path: Path) -> None:
    taken = load_model(make_network("gpt2"), tokenizer=make_tokenizer())
    build(taken, tmp_path / "alone")
    build(taken, tmp_path / "workers", client=client)
    assert sums(tmp_path / "workers") == sums(tmp_path / "alone")


def test_latents_on_the_workers(model: LanguageModel, client: Client, tmp_path: Path) -> None:
    units = tiny_latents(model)
    build(units, tmp_path / "alone")
    build(units, tmp_path / "workers", client=client)
    assert sums(tmp_path / "workers") == sums(tmp_path / "alone")


def test_weights_that_were_changed_are_not_those_of_the_files(
    tiny_folder: Callable[[str], Path], client: Client, tmp_path: Path
) -> None:
    changed = load_model(tiny_folder("llama"), dtype="float32")
    assert changed.fingerprint
    changed.network.get_input_embeddings().weight.data.mul_(2)
    copied = copy.deepcopy(changed)
    assert copied.network is not changed.network
    weights = [each.network.get_input_embeddings().weight for each in (changed, copied)]
    assert torch.equal(*weights)
    with pytest.raises(NbkitError, match="has other weights here than in the process that sent it"):
        build(changed, tmp_path, client=client)


def test_a_block_of_another_scan_is_not_taken(model: LanguageModel, tmp_path: Path) -> None:
    late = AtlasConfig(batch_size=4, block_size=8, max_examples=6, threshold=0.95)
    scan_blocks(model, CONTEXTS, tmp_path / "late", slice(0, 2), late, progress=False)
    scan_blocks(model, CONTEXTS, tmp_path / "atlas", slice(0, 0), CONFIG, progress=False)
    name = f"{SCAN}/block-000001.safetensors"
    shutil.copy(tmp_path / "late" / name, tmp_path / "atlas" / name)
    with pytest.raises(NbkitError, match=r"block-000001.safetensors is of another atlas: delete it and run again"):
        build(model, tmp_path / "atlas")


def test_blocks_in_any_order_leave_the_same_bytes(model: LanguageModel, alone: dict[str, str], tmp_path: Path) -> None:
    scan_blocks(model, CONTEXTS, tmp_path, slice(0, 0), CONFIG, progress=False)
    job = open_job(model, CONTEXTS, tmp_path, CONFIG)
    numbers = list(range(job.n_blocks))
    random.Random(0).shuffle(numbers)
    for number in numbers:
        job.scan(number)
    build(model, tmp_path)
    assert sums(tmp_path) == alone


@pytest.mark.parametrize("seed", range(4))
def test_workers_that_learn_from_each_other_leave_the_same_bytes(
    model: LanguageModel, alone: dict[str, str], tmp_path: Path, seed: int
) -> None:
    """Four of them, that take blocks in any order and turn, with or without what the others left."""
    scan_blocks(model, CONTEXTS, tmp_path, slice(0, 0), CONFIG, progress=False)
    jobs, rng = [open_job(model, CONTEXTS, tmp_path, CONFIG) for _ in range(4)], random.Random(seed)
    for number in rng.sample(range(N_BLOCKS), N_BLOCKS):
        job = rng.choice(jobs)
        rng.choice([job.scan, job.scan_among_others, job.scan_among_others])(number)
    build(model, tmp_path)
    assert sums(tmp_path) == alone


def block_bytes(model: LanguageModel, out: Path, scan: Callable[[AtlasJob, int], int], n_workers: int) -> int:
    """Of all blocks, scanned by workers that take turns."""
    scan_blocks(model, CONTEXTS, out, slice(0, 0), CONFIG, progress=False)
    jobs = [open_job(model, CONTEXTS, out, CONFIG) for _ in range(n_workers)]
    for number in range(N_BLOCKS):
        scan(jobs[number % n_workers], number)
    return sum(path.stat().st_size for path in (out / SCAN).glob("block-*"))


def test_workers_that_learn_from_each_other_keep_little_more_than_one(model: LanguageModel, tmp_path: Path) -> None:
    one = block_bytes(model, tmp_path / "one", AtlasJob.scan, 1)
    apart = block_bytes(model, tmp_path / "apart", AtlasJob.scan, N_BLOCKS)
    together = block_bytes(model, tmp_path / "together", AtlasJob.scan_among_others, N_BLOCKS)
    assert together - one < 0.3 * (apart - one), (one, together, apart)


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_a_board_that_is_replaced_while_it_is_read_is_of_one_moment(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def board(number: int) -> Board:
        shape = (1, 1)
        return Board(torch.full(shape, float(number)), torch.full(shape, number, dtype=torch.int32), number)

    place = RemotePlace(address.format(tmp_path)) if "://" in address else LocalPlace(tmp_path)
    board(1).write(place, "board", "it")
    reads = LocalPart.__getitem__

    def replaced(part: LocalPart, name: str) -> torch.Tensor:
        board(2).write(place, "board", "it")
        return reads(part, name)

    monkeypatch.setattr(LocalPart, "__getitem__", replaced)
    for number in (1, 2):
        found = read_board(place, "board", "it")
        assert found is not None
        assert (found.maximum.item(), found.shown.item(), found.stop) == (number, number, number)


def test_what_another_process_left_damaged_is_told(model: LanguageModel, tmp_path: Path) -> None:
    scan_blocks(model, CONTEXTS, tmp_path, slice(0, 1), CONFIG, progress=False)
    left = tmp_path / BOARD
    left.write_bytes(left.read_bytes()[:-1] + b"x")
    with pytest.raises(NbkitError, match=f"{left} is damaged or of another atlas: delete it and run again"):
        scan_blocks(model, CONTEXTS, tmp_path, slice(1, 2), CONFIG, progress=False)


def test_an_array_of_jobs_and_a_merge(model: LanguageModel, alone: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match=f"there is no folder {tmp_path}/new: scan the blocks first"):
        check_scanned(model, CONTEXTS, tmp_path / "new", CONFIG)
    out = tmp_path / "atlas"
    assert scan_blocks(model, CONTEXTS, out, slice(8, None), CONFIG, progress=False) == (5, N_BLOCKS)
    assert scan_blocks(model, CONTEXTS, out, slice(0, 3), CONFIG, progress=False) == (8, N_BLOCKS)
    with pytest.raises(NbkitError, match=r"5 of the 13 blocks .* the first of them 3: run nbkit scan --blocks 3:8 "):
        check_scanned(model, CONTEXTS, out, CONFIG)
    assert scan_blocks(model, CONTEXTS, out, slice(2, 10), CONFIG, progress=False) == (N_BLOCKS, N_BLOCKS)
    check_scanned(model, CONTEXTS, out, CONFIG)
    build(model, out)
    assert sums(out) == alone
    check_scanned(model, CONTEXTS, out, CONFIG)
    assert scan_blocks(model, CONTEXTS, out, slice(None), CONFIG, progress=False) == (N_BLOCKS, N_BLOCKS)
    other = AtlasConfig(batch_size=4, block_size=8, max_examples=7)
    with pytest.raises(NbkitError, match="holds an atlas of another max_examples"):
        scan_blocks(model, CONTEXTS, out, slice(None), other, progress=False)


@pytest.mark.parametrize(
    ("n_workers", "expected"), [(0, [1, 1, 1, 1, 1]), (1, [1, 1, 1, 1, 1]), (4, [1, 2, 3, 4, 4]), (9, [1, 2, 3, 4, 5])]
)
def test_tasks_that_learn_begin_one_by_one_and_double(n_workers: int, expected: list[int]) -> None:
    assert [most_at_a_time(n_done, n_workers) for n_done in range(5)] == expected


def test_the_first_of_tasks_that_learn_is_done_alone(client: Client) -> None:
    moments = dict(done(client, begin_and_end, {f"{number}": (0.05,) for number in range(9)}, gradually=True))
    assert set(moments) == set(map(str, range(9)))
    (_, first_end), *others = [moments[f"{number}"] for number in range(9)]
    assert first_end <= min(begin for begin, _ in others)
    begins, ends = (sorted(moment) for moment in zip(*others, strict=True))
    assert all(begin >= end for begin, end in zip(begins[2:], ends, strict=False)), "more than two at a time"


def kill_worker(client: Client, seed: int) -> None:
    """Ends the process of one of the workers, as a machine does that fails."""
    processes = client.run(os.getpid, on_error="ignore")
    if processes:
        with suppress(ProcessLookupError):
            os.kill(random.Random(seed).choice(list(processes.values())), signal.SIGKILL)


@contextmanager
def at_blocks(folder: Path, moments: dict[int, Callable[[], object]]) -> Iterator[None]:
    """Does something when there are so many blocks in an atlas's folder."""
    waiting, end = dict(moments), threading.Event()

    def watch() -> None:
        while waiting and not end.is_set():
            there = len(list((folder / SCAN).glob("block-*"))) if (folder / SCAN).is_dir() else 0
            for number in [number for number in waiting if number <= there]:
                waiting.pop(number)()
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
    assert not waiting, waiting


def test_killed_and_late_workers_leave_the_same_bytes(
    model: LanguageModel, alone: dict[str, str], tmp_path: Path
) -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=CRITICAL) as cluster,
        Client(cluster) as client,
    ):
        moments: dict[int, Callable[[], object]] = {
            2: lambda: cluster.scale(2),
            4: lambda: kill_worker(client, 0),
            8: lambda: kill_worker(client, 1),
        }
        with at_blocks(tmp_path, moments):
            build(model, tmp_path, client=client)
    assert sums(tmp_path) == alone


def test_waiting_for_workers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "WAIT", 0.5)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=CRITICAL) as cluster,
        Client(cluster) as client,
    ):
        tasks = done(client, begin_and_end, {f"{number}": (0.1,) for number in range(6)})
        found = dict([next(tasks)])
        cluster.scale(0)
        late = threading.Timer(4, cluster.scale, [1])
        late.start()
        with pytest.warns(UserWarning, match="no worker is left: this waits for one"):
            found |= dict(tasks)
        late.join()
    assert set(found) == set(map(str, range(6)))


def test_a_scheduler_that_is_gone_is_told_and_nothing_lost(
    model: LanguageModel, alone: dict[str, str], client: Client, tmp_path: Path
) -> None:
    python = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    file = tmp_path / "scheduler.json"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen([*python, "--no-dashboard", "--scheduler-file", str(file)], **quiet)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-dashboard"]
    workers = subprocess.Popen([*worker, "--nthreads", "1", "--death-timeout", "5"], **quiet)
    out = tmp_path / "atlas"
    try:
        getLogger("distributed.client").setLevel(CRITICAL)
        with Client(scheduler_file=str(file), timeout=60) as away:
            away._timeout = 2  # for which it tries to find the scheduler again
            with (
                at_blocks(out, {3: scheduler.kill}),
                pytest.raises(NbkitError, match="the cluster's scheduler is gone; what is finished is kept"),
            ):
                build(model, out, client=away)
    finally:
        for process in (workers, scheduler):
            process.kill()
            process.wait()
    assert len(list((out / SCAN).glob("block-*"))) >= 3
    build(model, out, client=client)
    assert sums(out) == alone


def test_a_block_that_fails_three_times_ends_the_build_and_keeps_the_rest(client: Client, tmp_path: Path) -> None:
    broken = load_model(make_network("gpt2"), tokenizer=make_tokenizer())
    rare = int(CONTEXTS.tokens[60].max())
    only = [number for number in range(N_BLOCKS) if rare in CONTEXTS.tokens[8 * number : 8 * number + 8, 1:]]
    broken.network.get_input_embeddings().weight.data[rare] = torch.inf
    with pytest.raises(NbkitError, match=rf"block ({'|'.join(map(str, only))}) failed 3 times: .*not finite"):
        build(broken, tmp_path, client=client)
    with pytest.raises(NbkitError, match="not finite"):
        build(broken, tmp_path)


def test_workers_with_another_library_or_without_the_folder_are_named(
    model: LanguageModel, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("nbkit.atlas.job.version", lambda name: "0.0")
        with pytest.raises(NbkitError, match=r"worker tcp://127.0.0.1:\d+: it has another versions than the process"):
            build(model, tmp_path / "a", client=client)
    with pytest.raises(
        NbkitError, match=r"worker tcp://.* memory://atlas holds no atlas that was begun: give a folder"
    ):
        build(model, tmp_path / "b", client=client, shared="memory://atlas")  # a process's own memory
    assert not list((tmp_path / "b" / SCAN).glob("block-*"))


def test_an_address_in_the_place_of_a_shared_folder(
    model: LanguageModel, alone: dict[str, str], tmp_path: Path
) -> None:
    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster, Client(cluster) as client:
        build(model, tmp_path / "a", client=client, shared="memory://here/atlas/")
        other = AtlasConfig(batch_size=4, block_size=8, max_examples=7)
        with pytest.raises(NbkitError, match="memory://here/atlas holds an atlas of another max_examples"):
            build_atlas(model, CONTEXTS, tmp_path / "c", other, client=client, shared="memory://here/atlas")
    assert sums(tmp_path / "a") == alone
    place = RemotePlace("memory://here/atlas")
    part = place.part(f"{SCAN}/block-000000.safetensors")
    here = place.local(SCAN, "block-000000.safetensors") / "block-000000.safetensors"
    part.verify(notes_of(here)[OF])
    assert part["maximum"].shape == (3, 40) and len(part) == len(list(part))
    place._files.pipe_file("memory://here/atlas/cut", place.bytes_of(f"{SCAN}/block-000000.safetensors", 0, 90_000))
    with pytest.raises(NbkitError, match="memory://here/atlas/cut is damaged"):
        place.part("cut").verify("")


def test_a_store_that_shows_halves_gets_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = RemotePlace(f"file://{tmp_path}/shared")
    for value in (1, 2):
        place.write({"x": torch.tensor([value])}, "folder/part", "it")
    assert place.part("folder/part")["x"].item() == 2 and place.names("folder") == {"part"}

    def breaks_off(_: object, source: str, target: str, **__: object) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:100])
        raise OSError("the line is cut")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.put_file", breaks_off)
    with pytest.raises(NbkitError, match=r"can't read or write file://.*/shared \(the line is cut\)"):
        place.write({"x": torch.tensor([3])}, "folder/part", "it")
    assert place.part("folder/part")["x"].item() == 2 and not place.has("folder/other")


def test_what_a_killed_worker_fetched_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import os; from nbkit.atlas.remote import RemotePlace; p = RemotePlace('memory://a'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    [left] = tmp_path.iterdir()
    first = RemotePlace("memory://a")
    second = RemotePlace("memory://a")
    assert not left.exists() and len(list(tmp_path.iterdir())) == 2, "those of the living stay"
    del first, second
    assert not list(tmp_path.iterdir())


def set_variables(found: dict[str, str]) -> None:
    os.environ.update(found)


def test_a_bucket_in_the_place_of_a_shared_folder(
    model: LanguageModel, alone: dict[str, str], client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        found = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "anyone",
            "AWS_SECRET_ACCESS_KEY": "anything",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        client.run(set_variables, found)  # nothing else there asks for a bucket
        s3fs.S3FileSystem().mkdir("atlases")
        build(model, tmp_path / "atlas", client=client, shared="s3://atlases/tiny")
        with pytest.raises(NbkitError, match="can't read or write s3://nowhere"):
            build(model, tmp_path / "b", client=client, shared="s3://nowhere/tiny")
    finally:
        server.stop()
    assert sums(tmp_path / "atlas") == alone


def test_what_else_takes_several_processes_runs_on_the_workers(client: Client) -> None:
    with on_cluster(client):
        processes = in_processes(worker_of, [(number,) for number in range(6)], -1, "", "", progress=False)
    assert [number for number, _ in processes] == list(range(6))
    assert {process for _, process in processes} <= set(client.run(os.getpid).values())


def test_neighbors_and_importance_on_the_workers(
    model: LanguageModel, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbkit.features.nearest.QUERIES_AT_ONCE", 16)  # many pairs of blocks
    monkeypatch.setattr("nbkit.features.nearest.PAIRS_OF_A_TASK", 3)
    here, there = build(model, tmp_path / "here"), build(model, tmp_path / "there")
    neurons = [(layer, index) for layer in here.layers for index in range(0, 40, 7)]
    expected = neighbors_of(here, "gradient", progress=False)
    keep_importance(model, here, neurons, progress=False)
    with on_cluster(client):
        found = neighbors_of(there, "gradient", progress=False)
        keep_importance(model, there, neurons, progress=False)
    assert (found.feature == expected.feature).all() and (found.cosine == expected.cosine).all()
    assert (expected.feature >= 0).sum() > 100
    kept = [kept_importance(atlas) for atlas in (here, there)]
    assert kept[0].keys() == kept[1].keys() and len(kept[0]) > 10
    assert all((kept[1][name] == value).all() for name, value in kept[0].items())


def worker_of(number: int) -> tuple[int, int]:
    return number, os.getpid()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"client": "tcp://127.0.0.1:8786"}, "client is of type str: give a dask.distributed.Client"),
        ({"shared": "s3://bucket"}, "shared is for the workers of a client"),
    ],
)
def test_what_is_no_client_is_refused(options: dict[str, Any], said: str, model: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match=said):
        build(model, tmp_path / "atlas", **options)
    assert not (tmp_path / "atlas").exists()


def test_a_shared_folder_is_an_address(model: LanguageModel, client: Client, tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match="shared is '/data': give an address such as s3://bucket/folder, or leave it"):
        build(model, tmp_path / "atlas", client=client, shared="/data")


def test_units_that_cannot_be_sent_are_refused(client: Client, tmp_path: Path) -> None:
    taken = load_model(make_network("gpt2"), tokenizer=make_tokenizer())
    taken.network.unpicklable = threading.Lock()
    with pytest.raises(NbkitError, match=r"can't be sent to other processes \(cannot pickle .*\): leave client out"):
        build(taken, tmp_path, client=client)


@pytest.mark.parametrize(
    ("scheduler", "devices", "said"),
    [
        ("local:0", None, "scheduler is 'local:0': give an address, or local:4 for four processes"),
        ("local:two", None, "scheduler is 'local:two'"),
        ("tcp://127.0.0.1:9", None, "no Dask scheduler answers at 'tcp://127.0.0.1:9': start one"),
        ("tls://127.0.0.1:9", None, "no Dask scheduler answers at 'tls://127.0.0.1:9'"),
        ("nonsense://here", None, "no Dask scheduler answers at 'nonsense://here'"),
        ("local:2", [0], "scheduler and devices were given"),
    ],
)
def test_a_scheduler_that_is_not_there(
    scheduler: str, devices: list[int] | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbkit.parallel.opened_client.WAIT", 2.0)
    with pytest.raises(NbkitError, match=said), opened_client(scheduler, devices):
        pass


def test_each_device_has_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NbkitError, match="there is no GPU 99 here: "), opened_client(devices=[99]):
        pass
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,7")  # as a job of a cluster that was given these
    with opened_client(devices=[0, 2]) as client:
        assert client is not None
        seen = client.run(lambda: (os.environ["CUDA_VISIBLE_DEVICES"], torch.get_num_threads()))
        assert sorted(seen.values()) == [("4", 1), ("7", 1)]
    with opened_client() as client:
        assert client is None
