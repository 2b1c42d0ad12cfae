"""How much memory there is, in AUTOMATIC1111's shape."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

_MEMINFO = Path("/proc/meminfo")


def memory() -> dict[str, Any]:
    """Bytes, of the machine and of the GPU. PyTorch is asked only where it has been loaded already."""
    return {"ram": _ram(), "cuda": _cuda()}


def _ram() -> dict[str, Any]:
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text("ascii").splitlines())
        total, free = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError) as error:
        return {"error": f"the system does not say ({error})"}
    return {"free": free, "used": total - free, "total": total}


def _cuda() -> dict[str, Any]:
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {"error": "there is no GPU in use"}
    free, total = torch.cuda.mem_get_info()
    counted = torch.cuda.memory_stats()

    def part(name: str) -> dict[str, int]:
        return {moment: counted.get(f"{name}_bytes.all.{moment}", 0) for moment in ("current", "peak")}

    return {
        "system": {"free": free, "used": total - free, "total": total},
        "active": part("active"),
        "allocated": part("allocated"),
        "reserved": part("reserved"),
        "inactive": part("inactive_split"),
        "events": {"retries": counted.get("num_alloc_retries", 0), "oom": counted.get("num_ooms", 0)},
    }
