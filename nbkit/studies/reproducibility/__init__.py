"""The paper beside this build."""

from nbkit.studies.reproducibility.findings import fingerprints, paper_and_build, setups

__all__ = ["fingerprints", "paper_and_build", "setups"]
