"""What a model and a request need, and what the machine has.

`footprint` is arithmetic on configs, `weights` adds up what headers or a config say,
`machine` asks the system, `fitting` compares, `report` writes it down, and
`python -m mlx_glm45v.memory` prints it.
"""

from .assessment import Assessment, assess_folder, assess_size
from .experts import ExpertPlan, plan_experts
from .fitting import check_fits, largest_context, verdicts
from .footprint import Footprint, estimate_footprint, smallest_footprint
from .holding import plan_loading
from .machine import Machine, mac, this_machine
from .report import Verdict
from .request import CPU, METAL, Backend, Request
from .sizes import parse_bytes
from .weights import (
    WeightSizes,
    recipe_bytes,
    weight_bytes,
    weight_bytes_of_files,
    weight_sizes,
    weight_sizes_of_files,
)

__all__ = [
    "CPU",
    "METAL",
    "Assessment",
    "Backend",
    "ExpertPlan",
    "Footprint",
    "Machine",
    "Request",
    "Verdict",
    "WeightSizes",
    "assess_folder",
    "assess_size",
    "check_fits",
    "estimate_footprint",
    "largest_context",
    "mac",
    "parse_bytes",
    "plan_experts",
    "plan_loading",
    "recipe_bytes",
    "smallest_footprint",
    "this_machine",
    "verdicts",
    "weight_bytes",
    "weight_bytes_of_files",
    "weight_sizes",
    "weight_sizes_of_files",
]
