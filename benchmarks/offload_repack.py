"""mlx-vlm's repacking in a process of its own: `offload_repack.py FROM TO`."""

from __future__ import annotations

import json
import sys

from benchmarks.proc import proc


def main() -> None:
    import time

    from mlx_vlm.moe_offload import repack

    begin, busy = time.perf_counter(), time.process_time()
    imported = proc("status", "VmHWM") * 1024
    repack(*sys.argv[1:])
    result = {
        "seconds": time.perf_counter() - begin,
        "cpu": time.process_time() - busy,
        "above_imports": proc("status", "VmHWM") * 1024 - imported,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
