"""What made the numbers of a page of the MNIST part, in one paragraph."""

from __future__ import annotations

from nbkit.studies.shared.provenance import mnist_provenance


def test_provenance_names_one_seed_or_several() -> None:
    assert "an MLP 784-64-10, seed 3; float32" in mnist_provenance("quick", 1, 3).markdown
    assert "one for each seed, 3 to 7; float32" in mnist_provenance("quick", 5, 3).markdown


def test_provenance_names_profile_and_versions() -> None:
    text = mnist_provenance("quick", 3, seed=2).markdown
    assert "profile `quick`" in text and "torch" in text
