"""What an atlas is of: anything that reads vectors by weights, place by place in a language model."""

from nbkit.units.site import Site as Site
from nbkit.units.units import Units as Units
from nbkit.units.units import captured as captured
