"""What a model and a request need, and what the machine has.

`footprint` is arithmetic on configs, `weights` adds up what headers or a config say,
`machine` asks the system, `fitting` compares, `report` writes it down, and
`python -m mlx_glm45v.memory` prints it.
"""

from .assessment import Assessment, assess_folder, assess_size
from .fitting import check_fits, check_loads, largest_context, verdicts
from .footprint import Footprint, estimate_footprint, smallest_footprint
from .machine import Machine, mac, this_machine
from .report import Verdict
from .request import CPU, METAL, Backend, Request
from .weights import recipe_bytes, weight_bytes, weight_bytes_of_files

__all__ = [
    "CPU",
    "METAL",
    "Assessment",
    "Backend",
    "Footprint",
    "Machine",
    "Request",
    "Verdict",
    "assess_folder",
    "assess_size",
    "check_fits",
    "check_loads",
    "estimate_footprint",
    "largest_context",
    "mac",
    "recipe_bytes",
    "smallest_footprint",
    "this_machine",
    "verdicts",
    "weight_bytes",
    "weight_bytes_of_files",
]
