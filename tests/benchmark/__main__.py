"""Speed and memory as ratios of one run: `make bench`, about 15 minutes on two idle cores.

Absolute times are printed for orientation; what counts are the ratios, both sides of which are measured in this run, in
turn.
"""

from nbkit.models import load_model
from tests.benchmark import atlas as benchmark_atlas
from tests.benchmark import explorer as benchmark_explorer
from tests.benchmark import latents as benchmark_latents
from tests.benchmark import memory as benchmark_memory
from tests.benchmark import pages as benchmark_pages
from tests.benchmark import sae as benchmark_sae
from tests.benchmark import scan as benchmark_scan
from tests.benchmark import workers as benchmark_workers


def main() -> None:
    model = load_model("smollm2-135m")
    benchmark_scan.main(model)
    benchmark_memory.main()
    benchmark_workers.main(model)
    benchmark_latents.main(model)
    benchmark_atlas.main(model)
    benchmark_explorer.main()
    benchmark_pages.main()
    benchmark_sae.main(model)


if __name__ == "__main__":
    main()
