"""How many threads this process may use, and how many it was asked to.

Counts are explicit everywhere: more threads than processors hold each other up, a container's quota counted.
"""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_cpus() -> int:
    """The processors that this process may use: its affinity, cut to a container's quota."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _read_quota()
        return cpus if quota in ("max", "-1") else max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return cpus


def _read_quota() -> tuple[str, str]:
    """The microseconds of processors that a container may use, and in how many of time."""
    if (_CGROUP / "cpu.max").exists():
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return quota, period
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")  # version 1, which older hosts have
    quota, period = ((_CGROUP / "cpu" / name).read_text().strip() for name in names)
    return quota, period


def asked_threads() -> int:
    """The threads that were asked for: ``OMP_NUM_THREADS``, which ``--threads`` sets, else all it may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(asked) if asked.isdecimal() and int(asked) else available_cpus()
