"""The colors of figures and explorers on a light page. Each has a contrast of at least 4.5:1 to white."""

CLUSTER_COLORS = (
    "#0a62a5",  # blue
    "#b0440c",  # orange
    "#00704a",  # green
    "#853a94",  # purple
    "#7d5b00",  # ocher
    "#006d85",  # teal
    "#ad2464",  # pink
    "#474ca6",  # indigo
    "#4f6b00",  # olive
    "#7a4040",  # brown
)
"""Clusters by rank, the largest first, used in turn. A cluster is also named by its number wherever it has a color, so
that nothing hangs on telling ten colors apart."""
ALONE = "#66707c"
"""Clusters of a single example, and whatever belongs to no cluster that is shown."""
INK = "#1d2733"
QUIET = "#566270"
HEAT = "#ffb54d"
"""Behind a token, as opaque as the neuron's activation on it is high."""


def cluster_color(label: int, size: int) -> str:
    """The color of the cluster of rank `label` (0 the largest) with `size` examples."""
    return ALONE if size == 1 else CLUSTER_COLORS[label % len(CLUSTER_COLORS)]
