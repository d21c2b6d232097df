"""Speed and memory as ratios of one run: `make bench`, about 12 minutes on two idle cores.

Absolute times are printed for orientation; what counts are the ratios, both sides of which are measured in this run, in
turn.
"""

from nbkit.models import load_model
from tests import benchmark_atlas, benchmark_explorer, benchmark_sae, benchmark_scan


def main() -> None:
    model = load_model("smollm2-135m")
    benchmark_scan.main(model)
    benchmark_atlas.main(model)
    benchmark_explorer.main()
    benchmark_sae.main(model)


if __name__ == "__main__":
    main()
