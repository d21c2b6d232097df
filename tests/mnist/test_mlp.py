"""MNIST from IDX files, the MLP of section 4.2, and the one that is kept in the cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nbkit.errors import NbkitError
from nbkit.mnist.images import Mnist, load_mnist, pixels, read_idx
from nbkit.mnist.mlp import MLP_RECIPE, MnistMLP, accuracy, mlp_for, train_mlp


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    return load_mnist()


@pytest.fixture(scope="module")
def few(mnist: Mnist) -> Mnist:
    """The first thousand training images: 8 steps an epoch, the last not full."""
    return replace(mnist, train_images=mnist.train_images[:1000], train_labels=mnist.train_labels[:1000])


def idx(*shape: int, content: bytes) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape) + content


def weights(mlp: MnistMLP) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in mlp.state_dict().values()])


@pytest.mark.parametrize("shape", [(6,), (3, 2), (1, 2, 3), (0, 4)])
def test_idx_known_answer(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = torch.tensor([0, 255, 7, 128, 1, 2][: torch.Size(shape).numel()], dtype=torch.uint8)
    (tmp_path / "file").write_bytes(idx(*shape, content=bytes(values.tolist())))
    read = read_idx(tmp_path / "file")
    assert read.dtype == torch.uint8
    assert torch.equal(read, values.reshape(shape))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(3, 2, content=b"12345"), "is not whole"),
        (idx(3, 2, content=b"1234567"), "is not whole"),
        (idx(3, 2, content=b"")[:9], "is not whole"),
        (idx(65536, 65536, 65536, 65536, content=b""), "is not whole"),  # 2^64 bytes
        (b"", "is not an IDX file of bytes"),
        (b"\0\0\x0d\x01\0\0\0\0", "is not an IDX file of bytes"),  # of floats
        (b"\x1f\x8b\x08\0 packed", "is not an IDX file of bytes"),
    ],
)
def test_files_that_are_not_whole_or_no_idx_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(NbkitError, match=f"file {message}: delete its folder and fetch it again"):
        read_idx(tmp_path / "file")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match=r"absent can't be read \(No such file or directory\)"):
        read_idx(tmp_path / "absent")


def test_mnist(mnist: Mnist) -> None:
    assert mnist.train_images.shape == (60_000, 784)
    assert mnist.test_images.shape == (10_000, 784)
    assert mnist.train_images.dtype == mnist.test_images.dtype == torch.float32
    assert mnist.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert mnist.test_labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert float(mnist.train_images.mean()) == pytest.approx(0, abs=1e-3)
    assert float(mnist.train_images.std()) == pytest.approx(1, abs=1e-3)


def test_pixels_undo_the_normalization(mnist: Mnist) -> None:
    raw = pixels(mnist.test_images[:100])
    assert raw.min() == 0 and raw.max() == 1
    torch.testing.assert_close(raw * 255, (raw * 255).round(), atol=1e-4, rtol=0)
    torch.testing.assert_close((raw - 0.1307) / 0.3081, mnist.test_images[:100])


@pytest.mark.parametrize("wrong", ["images", "labels", "digits"])
def test_files_that_are_not_mnist_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    def write(name: str, n: int) -> None:
        images, labels = n - (wrong == "images"), n - (wrong == "labels")
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(images, 28, 28, content=bytes(images * 784)))
        digits = bytes([10 if wrong == "digits" else 9]) * labels
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels, content=digits))

    write("train", 60_000)
    monkeypatch.setattr("nbkit.assets.fetch", lambda name: tmp_path)
    with pytest.raises(NbkitError, match=r"not 60,000 images of 28 x 28 and their digits: delete that folder"):
        load_mnist()


def test_equations_of_the_mlp() -> None:
    mlp, images = MnistMLP(), torch.randn(5, 784)
    hidden = (images @ mlp.into.weight.T + mlp.into.bias).clamp_min(0)
    torch.testing.assert_close(mlp.hidden(images), hidden)
    torch.testing.assert_close(mlp(images), hidden @ mlp.out.weight.T + mlp.out.bias)
    assert hidden.shape == (5, 64) and mlp(images).shape == (5, 10)


def test_accuracy() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0], [0.0, 0.0, 1.0], [-3.0, -1.0, -2.0]])
    assert accuracy(logits, torch.tensor([1, 0, 2, 2])) == 0.75


def test_training_is_adadelta_with_l2_decay_and_dropout(few: Mnist) -> None:
    mlp = MnistMLP(4)
    squares, steps = ([torch.zeros_like(weight) for weight in mlp.parameters()] for _ in range(2))
    torch.manual_seed(4)
    for rate in (0.12, 0.06, 0.03):
        for places in torch.randperm(1000).split(64):
            images, kept = few.train_images[places], torch.empty(len(places), 64).bernoulli_(0.96)
            loss = cross_entropy(mlp.readout(mlp.hidden(images) * kept / 0.96), few.train_labels[places])
            with torch.no_grad():
                gradients = torch.autograd.grad(loss, list(mlp.parameters()))
                for weight, slope, square, step in zip(mlp.parameters(), gradients, squares, steps, strict=True):
                    gradient = slope + 5e-3 * weight
                    square.mul_(0.9).add_(0.1 * gradient**2)
                    change = (step + 1e-6).sqrt() / (square + 1e-6).sqrt() * gradient
                    step.mul_(0.9).add_(0.1 * change**2)
                    weight.sub_(rate * change)
    torch.testing.assert_close(weights(train_mlp(few, 4, progress=False)), weights(mlp), atol=1e-5, rtol=0)


def test_only_the_seed_matters(few: Mnist) -> None:
    torch.manual_seed(1)
    first = weights(train_mlp(few, 7, progress=False))
    state = torch.get_rng_state()
    second = weights(train_mlp(few, 7, progress=False))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, second)
    assert not torch.equal(first, weights(train_mlp(few, 8, progress=False)))


def test_the_paper_s_accuracy(mnist: Mnist) -> None:
    mlp = train_mlp(mnist, progress=False)
    assert accuracy(mlp(mnist.test_images), mnist.test_labels) == pytest.approx(0.940, abs=0.005)
    assert not any(parameter.requires_grad for parameter in mlp.parameters())


@pytest.fixture
def cache(few: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and only a thousand images to learn."""
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("nbkit.mnist.mlp.load_mnist", lambda: few)
    return tmp_path / "mlps"


def kept(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir() if path.suffix != ".lock")


def test_the_mlp_of_a_seed_is_trained_once(few: Mnist, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = weights(mlp_for(3))
    assert torch.equal(first, weights(train_mlp(few, 3, progress=False)))
    assert len(kept(cache)) == 1
    monkeypatch.setattr("nbkit.mnist.mlp.train_mlp", lambda *_: pytest.fail("trained again"))
    again = mlp_for(3)
    assert torch.equal(first, weights(again))
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_seeds_and_recipes_are_kept_apart(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = weights(mlp_for(0)), weights(mlp_for(1))
    monkeypatch.setitem(MLP_RECIPE, "learning_rate", 1e-3)
    third = weights(mlp_for(0))
    assert len(kept(cache)) == 3
    assert not torch.equal(first, second) and not torch.equal(first, third)


def test_training_that_fails_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> MnistMLP:
        raise KeyboardInterrupt

    monkeypatch.setattr("nbkit.mnist.mlp.train_mlp", fail)
    with pytest.raises(KeyboardInterrupt):
        mlp_for()
    assert kept(cache) == []


def test_writing_that_fails_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nbkit.files.formats.seal", fail)
    with pytest.raises(NbkitError, match="No space left on device"):
        mlp_for()
    assert kept(cache) == []


def test_a_kept_mlp_that_is_not_whole_is_named(cache: Path) -> None:
    mlp_for()
    (path,) = kept(cache)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(NbkitError, match=f"{path.name} can't be read .*: delete it and make it again"):
        mlp_for()


def test_a_cache_that_is_no_folder_is_named(few: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(NbkitError, match=r"can't write to .*file/mlps .*: set NBKIT_CACHE to another"):
        mlp_for()
