"""The command line: what it does, and that a mistake is one sentence and exit status 2."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import nbkit
from nbkit.assets import ASSETS
from nbkit.atlas.atlas import Atlas
from nbkit.cli import main
from nbkit.cli.options import parse_layers, read_maxima
from nbkit.errors import NbkitError
from tests.examples.tiny_models import D_MLP, D_MODEL, N_LAYERS

TEXT = "The quick brown fox jumps over the lazy dog, and again. " * 30


class Result(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command line in this process, with an empty cache."""
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["nbkit", *map(str, arguments)])
        capfd.readouterr()
        status: object = 0
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        assert isinstance(status, int)
        return Result(status, *capfd.readouterr())

    return run


@pytest.fixture
def command(tiny_folder: Callable[[str], Path], tmp_path: Path) -> list[object]:
    """A command that makes an atlas of a tiny model; what is added to it wins."""
    (tmp_path / "fox.txt").write_text(TEXT)
    words = ["atlas", "--model", tiny_folder("gpt2"), "--corpus", tmp_path / "fox.txt", "--out", tmp_path / "atlas"]
    return [*words, "--length", 16, "--limit", 30, "--layers", "0,2", "--dtype", "float32", "--device", "cpu"]


def sentence(result: Result) -> str:
    """The one sentence of a mistake; progress bars may stand before it."""
    assert result.status == 2, result
    assert result.out == ""
    lines = [line for line in result.err.splitlines() if line and not line.startswith(("Loading weights", "scan:"))]
    assert len(lines) == 1 and lines[0].startswith("nbkit: "), result.err
    return lines[0]


def test_help_and_version_need_no_heavy_library() -> None:
    code = (
        "import nbkit, sys; from nbkit.cli import main\n"
        "nbkit.__version__\n"
        "try: main()\n"
        "finally: assert not {'torch', 'transformers', 'pandas', 'scipy'} & set(sys.modules)"
    )
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "100"}
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and done.stderr == ""
    for word in ("fetch", "atlas", "book", "feature clusters of a language model's neurons"):
        assert word in done.stdout


def test_the_command_is_installed() -> None:
    from importlib.metadata import entry_points

    (found,) = entry_points(group="console_scripts", name="nbkit")
    assert found.load() is main


def test_version_is_said(run: Run) -> None:
    assert run("--version") == (0, f"nbkit {nbkit.__version__}\n", "")
    assert run("--version", "fetch") == run("--version")


def test_fetch_without_a_name_lists_the_assets(run: Run) -> None:
    result = run("fetch")
    assert result.status == 0 and result.err == ""
    assert [line.split(":")[0] for line in result.out.splitlines()] == list(ASSETS)
    assert all(line.endswith("not fetched.") for line in result.out.splitlines())


def test_fetch_prints_where_the_assets_are(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbkit.assets.fetch", lambda name: Path("/cache") / name)
    assert run("fetch", "brown", "mnist").out == "/cache/brown\n/cache/mnist\n"


def test_fetching_what_there_is_not(run: Run) -> None:
    assert "did you mean brown?" in sentence(run("fetch", "brwn"))
    assert "NBKIT_OFFLINE" in sentence(run("fetch", "brown"))


def test_makes_an_atlas(run: Run, command: Sequence[object], tmp_path: Path) -> None:
    result = run(*command, "--threshold", 0.5, "--max-examples", 4, "--seed", 3, "--embedding", "gradient")
    assert result.status == 0, result.err
    atlas = nbkit.open_atlas(tmp_path / "atlas")
    found = int((atlas.neurons["n_examples"] > 0).sum())
    assert result.out == f"{tmp_path / 'atlas'}: {found} neurons with examples\n"
    assert 0 < found <= 2 * D_MLP and atlas.neurons["n_examples"].max() == 4
    manifest = atlas.manifest
    assert (manifest.layers, manifest.length, manifest.n_contexts) == ((0, 2), 16, 30)
    assert (manifest.threshold, manifest.seed, manifest.embedding) == (0.5, 3, "gradient")
    again = run(*command, "--threshold", 0.5, "--max-examples", 4, "--seed", 3, "--embedding", "gradient")
    assert (again.status, again.out) == (0, result.out)
    assert "scan:" in result.err and "scan:" not in again.err
    assert "another threshold, max_examples, seed: choose another folder" in sentence(run(*command))
    by_default = run(*command, "--threshold", 0.5, "--max-examples", 4, "--seed", 3)
    said = "; it was built with gradient: nbkit site --embedding centered shows what was asked for\n"
    assert (by_default.status, by_default.out) == (0, result.out.removesuffix("\n") + said)


def test_makes_an_atlas_of_both_signs(run: Run, command: Sequence[object], tmp_path: Path) -> None:
    assert run(*command, "--sign", "both").status == 0
    atlas = nbkit.open_atlas(tmp_path / "atlas")
    assert atlas.manifest.sign == "both" and min(atlas.neuron(0, i).peak.min(initial=1) for i in range(D_MLP)) < 0
    assert "another sign: choose another folder" in sentence(run(*command))


def test_makes_an_atlas_of_latents(run: Run, command: Sequence[object], tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, d_sae in ((here, 20), (there, 9)):
        sae = nbkit.SparseAutoencoder(D_MODEL, d_sae, "topk", k=4)
        sae.hook = "blocks.1.hook_resid_post" if folder == here else None
        sae.save(folder)
    all_sites = [*command, "--layers", "all"]
    assert run(*all_sites, "--sae", here).out.endswith(" latents with examples\n")
    sites = nbkit.open_atlas(tmp_path / "atlas").manifest.sites
    assert [(site.name, site.n_units, site.source) for site in sites] == [("blocks.1.hook_resid_post", 20, "here")]
    assert "an atlas of another sites, n_sites: choose another folder" in sentence(run(*all_sites))
    both = [*all_sites, "--out", tmp_path / "both", "--sae", f"blocks.1.hook_resid_post={here}"]
    assert run(*both, "--sae", f"blocks.0.mlp.hook_in={there}").status == 0
    assert [site.n_units for site in nbkit.open_atlas(tmp_path / "both").manifest.sites] == [20, 9]
    for options, said in (
        ([*both, "--sae", there], "--sae: give HOOK=SAE for each autoencoder"),
        ([*both, "--sae", f"blocks.1.hook_resid_post={there}"], "with other hook points"),
        ([*both, "--sae", f"blocks.0.mlp.hook_inn={there}"], "no hook point 'blocks.0.mlp.hook_inn': the nearest is"),
        ([*all_sites, "--sae", there], "there doesn't say where its activations come from: give "),
        ([*all_sites, "--sae", tmp_path / "nowhere"], "nowhere"),
        ([*command, "--sae", here], "there is no site 2: the sites are 0 to 0"),
        ([*all_sites, "--sae", here, "--weights", "folded"], "weights='folded' is for the MLP neurons"),
    ):
        assert said in sentence(run(*options))


def test_tells_what_was_read(run: Run, command: Sequence[object], tmp_path: Path) -> None:
    long = " ".join(map(str, range(300)))
    texts = [json.dumps({"body": body}) for body in (long, None, long, "short")]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "fox.jsonl").write_text("\n".join(texts))
    (tmp_path / "texts" / "notes.doc").touch()
    options = ["--corpus", tmp_path / "texts", "--field", "body", "--limit", 10**20]
    result = run(*command, *options)
    assert result.status == 0, result.err
    [said] = [line for line in result.err.splitlines() if line.startswith("Corpus ")]
    assert said.startswith("Corpus texts: 3 documents (1 without text skipped), ")
    assert said.endswith("; 1 file of other kinds left out: notes.doc.")
    atlas = nbkit.open_atlas(tmp_path / "atlas")
    assert f"{atlas.manifest.n_contexts:,} contexts of 16 tokens, {atlas.manifest.n_contexts // 2} repeat" in said
    unique = run(*command, *options, "--unique", "--out", tmp_path / "unique")
    assert unique.status == 0, unique.err
    assert nbkit.open_atlas(tmp_path / "unique").manifest.n_contexts == atlas.manifest.n_contexts // 2


def test_the_text_is_read_once(run: Run, command: Sequence[object], tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbkit.atlas.job.scan_together", stop)
        assert run(*command).status == 130
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbkit.corpora.loading.open_corpus", stop)
        assert run(*command, "--length", 17).status == 2, "others are not taken for these"
        result = run(*command)
        assert result.status == 0, result.err
    assert nbkit.open_atlas(tmp_path / "atlas").manifest.n_contexts == 30
    assert not (tmp_path / "atlas" / "scan").exists()
    assert run(*command).out == result.out


def test_makes_the_same_atlas_as_the_library(
    run: Run, command: Sequence[object], tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    maxima = np.random.default_rng(0).uniform(0.1, 1, (N_LAYERS, D_MLP))
    np.save(tmp_path / "maxima.npy", maxima)
    options = ["--maxima", tmp_path / "maxima.npy", "--weights", "folded", "--batch-size", 5]
    assert run(*command, *options).status == 0
    model = nbkit.load_model(tiny_folder("gpt2"), dtype="float32", device="cpu")
    contexts = nbkit.load_contexts(tmp_path / "fox.txt", model, length=16, limit=30)
    config = nbkit.AtlasConfig(layers=[0, 2], weights="folded", batch_size=5)
    nbkit.build_atlas(model, contexts, tmp_path / "library", config, maxima, progress=False)
    names = {path.name for path in (tmp_path / "library").iterdir()}
    assert names == {path.name for path in (tmp_path / "atlas").iterdir()}
    for name in names:
        assert (tmp_path / "library" / name).read_bytes() == (tmp_path / "atlas" / name).read_bytes(), name


def test_the_real_command_prints_one_line_for_a_mistake(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from nbkit.cli import main; main()", "atlas", "--out", str(tmp_path / "atlas")]
    done = subprocess.run([*command, "--threshold", "1.5"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "nbkit: threshold is 1.5: it is a share of the maximum activation, in (0, 1]\n"
    assert not (tmp_path / "atlas").exists()


MISTAKES = [
    (["--model", "./nowhere"], "no model in folder './nowhere'"),
    (["--model", "nobody/has-this"], "model 'nobody/has-this' is not in the hub client's cache"),
    (["--corpus", "brwn"], "No corpus is called 'brwn': did you mean brown?"),
    (["--corpus", "nowhere.txt"], "There is no file nowhere.txt"),
    (["--corpus", "nowhere/*.csv.gz"], "There is no file nowhere/*.csv.gz"),
    (["--corpus", "hf:nobody/has-this"], "NBKIT_OFFLINE"),
    (["--corpus", "hf:a:b:c:d"], "is no data set: write hf:<data set>"),
    (["--field", ""], "field is ''"),
    (["--layers", "3"], "has no layer 3: its layers are 0 to 2"),
    (["--layers", "0-9"], "has no layer 3"),
    (["--layers", "first"], "layers is 'first': give 'all', or numbers and ranges"),
    (["--layers", "0-99999999999"], "layers is '0-99999999999'"),
    (["--layers", "5-2"], "give 'all' or layer numbers"),
    (["--length", "65"], "A context of 65 tokens is not possible: "),
    (["--length", "2"], "A context of 2 tokens is not possible"),
    (["--limit", "0"], "limit is 0"),
    (["--threshold", "0"], "threshold is 0.0: it is a share of the maximum activation, in (0, 1]"),
    (["--threshold", "nan"], "threshold is nan"),
    (["--threshold", "1.01"], "threshold is 1.01"),
    (["--max-examples", "0"], "max_examples is 0: it must be at least 1"),
    (["--batch-size", "-1"], "batch_size is -1"),
    (["--weights", "centered"], "weights is 'centered': choose one of native, folded"),
    (["--embedding", "gate"], "embedding 'gate' is not defined for the neurons of"),
    (["--dtype", "int8"], "unknown dtype 'int8'"),
    (["--device", "banana"], "device 'banana' is not available here"),
    (["--device-map", "auto"], "device and device_map were given: give one of them"),
    (
        ["--device", "auto", "--device-map", "cuda:0"],
        "device_map is 'cuda:0': give auto, balanced, balanced_low_0, sequ",
    ),
    (["--device", "auto", "--device-map", "auto", "--max-memory", "1GB"], "max_memory is '1GB': give sizes such as 0="),
    (
        ["--device", "auto", "--device-map", "auto", "--max-memory", "cpu=.GB"],
        "with device_map 'auto' (ValueError: `size",
    ),
    (["--max-memory", "cpu=1GB"], "max_memory and offload_folder are for a model that is spread: give device_map, too"),
    (["--maxima", "nowhere.npy"], "can't read the maxima in nowhere.npy"),
]


def test_a_model_that_is_spread_gives_the_same_atlas(run: Run, command: Sequence[object], tmp_path: Path) -> None:
    spread = [
        "--device",
        "auto",
        "--device-map",
        "auto",
        "--max-memory",
        "cpu=60KB",
        "--offload-folder",
        tmp_path / "d",
    ]
    assert run(*command).status == 0 and run(*command, "--out", tmp_path / "spread", *spread).status == 0
    files = [path.name for path in (tmp_path / "atlas").glob("*.*")]
    assert len(files) == 7
    assert all((tmp_path / "atlas" / name).read_bytes() == (tmp_path / "spread" / name).read_bytes() for name in files)


@pytest.mark.parametrize(("options", "message"), MISTAKES, ids=[" ".join(options) for options, _ in MISTAKES])
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    options: list[str], message: str, run: Run, command: Sequence[object], tmp_path: Path
) -> None:
    assert message in sentence(run(*command, *options))
    assert not (tmp_path / "atlas").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no document of 16 tokens"),
        (b" ", "has no document of"),
        ("caf\u00e9 ".encode("latin-1") * 100, "is not UTF-8 text: byte 3 is not"),
        (b"\xff\xfe\x00", "is not UTF-8 text: byte 0 is not"),
    ],
)
def test_a_corpus_that_cannot_be_read(
    content: bytes, message: str, run: Run, command: Sequence[object], tmp_path: Path
) -> None:
    (tmp_path / "fox.txt").write_bytes(content)
    assert message in sentence(run(*command))
    assert not (tmp_path / "atlas").exists()


def test_weights_that_are_not_finite(
    run: Run, command: Sequence[object], tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_folder("gpt2"), tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    weights["transformer.h.0.mlp.c_fc.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "'transformer.h.0.mlp.c_fc.bias' holds NaN" in sentence(run(*command, "--model", folder))


def npy(table: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, table)
    return file.getvalue()


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, maxima=np.ones((N_LAYERS, D_MLP)))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(np.ones((D_MLP, N_LAYERS))), "has shape (40, 3): model"),
        (npy(np.full((N_LAYERS, D_MLP), np.nan)), "holds NaN or infinite values"),
        (npy(np.full((N_LAYERS, D_MLP), "much")), "doesn't hold numbers"),
        (npy(np.ones((N_LAYERS, D_MLP)))[:-8], "can't read the maxima in"),
        (npy(np.array([{}], dtype=object)), "allow_pickle=False): give a .npy file of (layers, neurons) numbers"),
        (npz(), "can't read the maxima in"),
        (pickle.dumps(np.ones((N_LAYERS, D_MLP))), "can't read the maxima in"),
        (b"", "can't read the maxima in"),
    ],
)
def test_a_table_of_maxima_that_does_not_fit(
    content: bytes, message: str, run: Run, command: Sequence[object], tmp_path: Path
) -> None:
    (tmp_path / "maxima.npy").write_bytes(content)
    assert message in sentence(run(*command, "--maxima", tmp_path / "maxima.npy"))
    assert not (tmp_path / "atlas").exists()


def test_a_folder_that_is_none(run: Run, command: Sequence[object], tmp_path: Path) -> None:
    assert "can't write to" in sentence(run(*command, "--out", tmp_path / "fox.txt"))
    assert "is not empty and holds no atlas" in sentence(run(*command, "--out", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["fox.txt"]


@pytest.mark.parametrize(
    "arguments", [["atlas"], ["atlas", "--out"], ["atlas", "--out", "x", "--length", "long"], ["map"], ["--loud"]]
)
def test_a_wrong_usage_is_exit_status_2(arguments: list[str], run: Run) -> None:
    result = run(*arguments)
    assert result.status == 2 and "Traceback" not in result.err and "Error" in result.err


def test_an_interruption_says_how_to_go_on(
    run: Run, command: Sequence[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nbkit.atlas.job.scan_together", interrupted)
    result = run(*command)
    assert result.status == 130
    assert result.err.splitlines()[-1] == "nbkit: interrupted; run the same command again to go on"


def test_a_fault_of_ours_keeps_its_traceback(
    run: Run, command: Sequence[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("nbkit.atlas.job.scan_together", broken)
    with pytest.raises(ZeroDivisionError):
        run(*command)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("all", "all"), ("0", (0,)), ("0,3, 8-11", (0, 3, 8, 9, 10, 11)), ("2-2", (2,)), ("0007", (7,))],
)
def test_layers_are_numbers_and_ranges(text: str, numbers: object) -> None:
    assert parse_layers(text) == numbers


@pytest.mark.parametrize("text", ["", ",", "1,", "-1", "1-", "-", "a", "1.5", "1--2", "1-2-3", "ALL", "10000"])
def test_other_layers_are_refused(text: str) -> None:
    with pytest.raises(NbkitError, match="layers is"):
        parse_layers(text)


def test_maxima_are_read_as_they_are(tmp_path: Path) -> None:
    table = np.arange(6, dtype=np.float64).reshape(2, 3)
    np.save(tmp_path / "maxima.npy", table)
    np.testing.assert_array_equal(read_maxima(tmp_path / "maxima.npy"), table)


def test_an_atlas_is_handed_over(run: Run, tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> None:
    atlas = tiny_atlas("gpt2").path
    done = run("site", atlas, tmp_path / "site", "--zip")
    assert done.status == 0 and done.out.splitlines()[-1] == (
        f"Open {tmp_path}/site/index.html, or hand over {tmp_path}/site.zip"
    )
    assert (tmp_path / "site" / "index.html").is_file() and (tmp_path / "site.zip").is_file()
    done = run("neuronpedia", atlas, tmp_path / "np", "--source-set", "mine", "--layers", "1")
    assert done.status == 0 and "40 neurons of " in done.out and (tmp_path / "np" / "1-mine").is_dir()
    for command in (["site", atlas], ["neuronpedia", atlas, tmp_path], ["site", tmp_path, tmp_path / "new"]):
        assert "nbkit: " in sentence(run(*command))
    assert not (tmp_path / "new").exists()
