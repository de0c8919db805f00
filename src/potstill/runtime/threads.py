"""How many threads this process may use, and how many it was asked to.

Counts are explicit everywhere: more threads than processors hold each other up, a container's quota counted.
"""

import math
import os
from pathlib import Path

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cpus() -> int:
    """The processors that this process may use: its affinity, cut to a container's quota."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CGROUP_QUOTA.read_text().split()
        return cpus if quota == "max" else max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return cpus


def asked_threads() -> int:
    """The threads that were asked for: ``OMP_NUM_THREADS``, which ``--threads`` sets, else all it may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(asked) if asked.isdecimal() and int(asked) else available_cpus()
