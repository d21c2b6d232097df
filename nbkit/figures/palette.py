"""The colors of figures and explorers. Figures are drawn with those of a light page, which have a contrast of at least
4.5:1 to white; `ON_DARK` says what each is on a dark page, with as much contrast to its ground."""

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
COLD = "#8fbdf2"
"""Of an activation below zero, where those are looked for."""
RULE = "#dfe3e8"
"""Grid lines."""
AXIS = "#8a94a0"
WHITE = "#ffffff"
"""Behind everything, and text on a color."""
ON_DARK = {
    WHITE: "#121212",
    INK: "#e6e8eb",
    QUIET: "#a3abb5",
    AXIS: "#6f7883",
    RULE: "#2b3138",
    HEAT: "#945400",
    COLD: "#1d5c9c",
    ALONE: "#9aa3ad",
    **dict(
        zip(
            CLUSTER_COLORS,
            (
                "#6cb8f0",
                "#f2935c",
                "#4fc79a",
                "#d3a0e4",
                "#e3be4a",
                "#5ccbe0",
                "#f288b5",
                "#a9aef5",
                "#b5d05a",
                "#dba59f",
            ),
            strict=True,
        )
    ),
}
"""Of each color above, the one that takes its place on a dark page."""


def cluster_color(label: int, size: int) -> str:
    """The color of the cluster of rank `label` (0 the largest) with `size` examples."""
    return ALONE if size == 1 else CLUSTER_COLORS[label % len(CLUSTER_COLORS)]
