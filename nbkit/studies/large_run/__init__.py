"""How long an atlas of a large model takes on a cluster, and what limits it: a cost model, and workers simulated."""

from nbkit.studies.large_run.coefficients import gpu, h100
from nbkit.studies.large_run.cost_model import Work
from nbkit.studies.large_run.figures import wall_time
from nbkit.studies.large_run.findings import checked, coefficient_table, job_array, plan, plan_table
from nbkit.studies.large_run.fitting import measured
from nbkit.studies.large_run.published import beside_published
from nbkit.studies.large_run.sample import take_sample
from nbkit.studies.large_run.shape import shape_of

__all__ = [
    "Work",
    "beside_published",
    "checked",
    "coefficient_table",
    "gpu",
    "h100",
    "job_array",
    "measured",
    "plan",
    "plan_table",
    "shape_of",
    "take_sample",
    "wall_time",
]
