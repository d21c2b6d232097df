"""What neurons answer to below zero, beside what they answer to above."""

from nbkit.studies.both_signs.answers import answers
from nbkit.studies.both_signs.separation import separation
from nbkit.studies.both_signs.sides import sides

__all__ = ["answers", "separation", "sides"]
