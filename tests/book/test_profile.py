"""Profiles: numbers as people write them, and one sentence that names the key for what is no value of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nbkit.book.notebooks import default_parameters
from nbkit.book.profile import check_profile, read_profile
from nbkit.errors import NbkitError

BOOK = Path(__file__).parents[2] / "book"
NOTEBOOKS = {path.stem: default_parameters(path) for path in sorted(BOOK.glob("*.ipynb"))}


def read(folder: Path, text: str) -> Any:
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return read_profile("mine", folder)


def check(folder: Path, text: str) -> None:
    check_profile(read(folder, text), NOTEBOOKS)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-4", 1e-4),
        ("5e-1", 0.5),
        ("1E5", 1e5),
        ("1e5", 1e5),
        ("+2e3", 2e3),
        ("-1e-4", -1e-4),
        (".5e-3", 5e-4),
        ("1.e3", 1e3),
        ("1.5e+3", 1.5e3),
        ("20_000", 20_000),
        ("'1e-4'", "1e-4"),
        ("1e", "1e"),
        ("e5", "e5"),
        ("1e5x", "1e5x"),
        ("gpt2", "gpt2"),
    ],
)
def test_numbers_are_numbers(written: str, value: object, tmp_path: Path) -> None:
    profile = read(tmp_path, f"sae: {{grid: {{l1: [{written}]}}}}\nnotebooks:\n  page:\n    threshold: {written}\n")
    assert profile.sae["grid"]["l1"] == [value] and type(profile.sae["grid"]["l1"][0]) is type(value)
    assert profile.notebooks["page"]["threshold"] == value


def test_the_profiles_of_the_book_pass() -> None:
    for path in (BOOK / "profiles").glob("*.yaml"):
        check_profile(read_profile(path.stem, BOOK / "profiles"), NOTEBOOKS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sae: {grid: {l1: [much]}}", r"The profile's sae: grid: l1 is 'much', and must be a number"),
        ("sae: {grid: {l1: 1e-4}}", r"sae: grid: l1 is 0\.0001, and must be a list"),
        ("sae: {grid: {k: [1.5]}}", r"sae: grid: k is 1\.5, and must be a whole number"),
        ("sae: {grid: {l2: [1]}}", r"sae: grid has no 'l2': choose from l1, k, ne"),
        ("sae: {grid: 3}", r"sae: grid is 3, and must be names with values"),
        ("sae: {search: {ne: {pairs: [x]}}}", r"sae: search: ne: pairs is 'x', and must be a number"),
        ("sae: {search: {n_best: many}}", r"sae: search: n_best is 'many', and must be a whole number"),
        ("sae: {n_seeds: 2.5}", r"sae: n_seeds is 2\.5, and must be a whole number"),
        ("sae: {n_seeds: yes}", r"sae: n_seeds is True, and must be a whole number"),
        ("sae: {questions: decay}", r"sae: questions is 'decay', and must be a list"),
        ("sae: {seeds: 3}", r"sae has no 'seeds': choose from seed, n_seeds"),
        ("atlas: {limit: '10'}", r"atlas: limit is '10', and must be a whole number"),
        ("atlas: {corpus: [brown]}", r"atlas: corpus is \['brown'\], and must be a text"),
        ("atlas: {modle: gpt2}", r"atlas has no 'modle': choose from model, corpus"),
        (
            "atlas: {dtype: float32}",
            r"sets atlas: dtype, which .*\.ipynb has no parameter for.*atlas: atlas to",
        ),
        (
            "notebooks: {feature-clusters: {threshold: half}}",
            r"notebooks: feature-clusters: threshold is 'half'.*a number",
        ),
        ("notebooks: {trade-off: {grid: {ne: [x]}}}", r"notebooks: trade-off: grid: ne is 'x', and must be a number"),
    ],
)
def test_a_value_of_another_type_is_named_by_its_key(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match=message) as error:
        check(tmp_path, text)
    assert len(str(error.value)) <= 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("atlas: [1]", r"mine\.yaml: atlas is \[1\], and must hold names with values"),
        ("atlas: 5", r"mine\.yaml: atlas is 5"),
        ("notebooks: {page: 3}", r"mine\.yaml: page is 3, and must hold names"),
        ("atlas: {1: 2}", r"mine\.yaml: atlas is \{1: 2\}"),
        ("- a", r"mine\.yaml is a list: a profile has the keys"),
        ("gpt2", r"mine\.yaml is a str"),
        ("1: 2", r"mine\.yaml has the key '1'"),
        ("atlas: {model: a\n", r"mine\.yaml, line \d: this can't be read"),
        ("atlas:\n  seed: 1\n  seed: 2\n", r"mine\.yaml, line 2: this can't be read \('seed' stands twice\)"),
        ("atlas: !!python/object/apply:os.getcwd []", r"mine\.yaml, line 1: this can't be read \(could not determine"),
    ],
)
def test_what_is_no_profile(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match=message):
        read(tmp_path, text)


def test_bytes_that_are_no_text_are_no_profile(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"atlas: {model: caf\xe9}")
    with pytest.raises(NbkitError, match=r"mine\.yaml: this can't be read"):
        read_profile("mine", tmp_path)


@pytest.mark.parametrize("name", ["absent", "x" * 300, "../profiles/mine", "", "a\0b"])
def test_a_name_that_no_profile_has(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    with pytest.raises(NbkitError, match=r"^There is no profile '.{0,44}'\. Choose one of: mine\.$"):
        read_profile(name, tmp_path)
