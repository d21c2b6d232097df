"""What neurons answer to below zero, beside what they answer to above."""

from nbkit.studies.both_signs.answers import answers
from nbkit.studies.both_signs.atlases import both_sides
from nbkit.studies.both_signs.findings import quadrant_table
from nbkit.studies.both_signs.separation import separation
from nbkit.studies.both_signs.sides import sides

__all__ = ["answers", "both_sides", "quadrant_table", "separation", "sides"]
