"""The small book's atlas, where its pages are reached, and atlases of latents, alone and beside neurons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.explorers.atlas.shard_files import atlas_of_site
from nbkit.models import LanguageModel
from nbkit.models.sign import Sign
from tests.browser import page_checks as checks


@pytest.fixture(scope="module")
def atlas(mini_book: Path) -> Atlas:
    """The atlas of the small book, with the embedding that its explorer shows."""
    [site] = (mini_book / "_static" / "atlases").iterdir()
    return atlas_of_site(mini_book.parents[1] / "cache" / "atlases", site.name)


@pytest.fixture(scope="module", params=["file", "http"])
def base(request: pytest.FixtureRequest, mini_book: Path) -> Iterator[str]:
    """The address of the small book, as files and over http."""
    with checks.reached(mini_book, request.param) as address:
        yield address


@pytest.fixture(scope="session")
def latents_atlas(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[[str], LanguageModel]) -> Atlas:
    """An atlas of the latents of a tiny model over random text, by the paper's embedding: tests must not change its
    files, only let more be made from it."""
    from nbkit.atlas.build import build_atlas
    from nbkit.atlas.config import AtlasConfig
    from tests.examples.latent_units import tiny_latents
    from tests.examples.tiny_models import random_contexts

    units = tiny_latents(tiny_model("gpt2"))
    folder, config = tmp_path_factory.mktemp("latents"), AtlasConfig(embedding="paper")
    return build_atlas(units, random_contexts(40, 32), folder, config, progress=False)


@pytest.fixture(scope="session")
def signed_atlas(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_atlas: Callable[[str], Atlas],
    tiny_model: Callable[[str], LanguageModel],
) -> Callable[[str, Sign], Atlas]:
    """Gives an atlas of the tiny model of an architecture on a side of zero: tests must not change its files, only let
    more be made from it."""
    from nbkit.atlas.build import build_atlas
    from nbkit.atlas.config import AtlasConfig
    from tests.examples.tiny_models import random_contexts

    @cache
    def make(architecture: str, sign: Sign) -> Atlas:
        if sign == "positive":
            return tiny_atlas(architecture)
        folder, config = tmp_path_factory.mktemp(sign), AtlasConfig(embedding="paper", sign=sign)
        return build_atlas(tiny_model(architecture), random_contexts(40, 32), folder, config, progress=False)

    return make


@pytest.fixture(scope="session")
def both_atlas(
    tmp_path_factory: pytest.TempPathFactory, tiny_atlas: Callable[[str], Atlas], latents_atlas: Atlas
) -> Atlas:
    """The neurons of three layers and, at sites 3 and 4, the latents: tests must not change its files, only let more be
    made from it."""
    from nbkit.atlas.joined import join_atlases

    return join_atlases([tiny_atlas("gpt2"), latents_atlas], tmp_path_factory.mktemp("both") / "atlas")
