"""On which coordinates the neurons of an atlas hang."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.features.coordinates import COORDINATES, coordinates_of


def test_each_neurons_largest_coordinate_and_how_many_take_part(own_atlas: Callable[[str], Atlas]) -> None:
    for architecture in ("gpt2", "llama"):
        atlas = own_atlas(architecture)
        table = coordinates_of(atlas, progress=False)
        assert (atlas.path / COORDINATES).is_file()
        pd.testing.assert_frame_equal(table[["layer", "index"]], atlas.neurons[["layer", "index"]])
        measured = 0
        for row, concentration in zip(table.itertuples(), atlas.neurons["concentration"], strict=True):
            neuron = atlas.neuron(*atlas.at(row.Index))
            if np.isnan(concentration):
                assert np.isnan(row.largest_coordinate) and np.isnan(row.participation)
                continue
            units = neuron.embeddings() / np.linalg.norm(neuron.embeddings(), axis=1, keepdims=True)
            shares = (units.astype(np.float64) ** 2).mean(axis=0)
            np.testing.assert_allclose(shares[int(row.largest_coordinate)], concentration, rtol=1e-4)
            np.testing.assert_allclose(row.participation, 1 / (shares**2).sum(), rtol=1e-4)
            measured += 1
        assert measured > 20
        assert coordinates_of(atlas, progress=False).equals(table)
