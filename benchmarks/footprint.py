"""What a process uses, as Linux says."""

import os
from pathlib import Path


def resident_mib(pid: int) -> float:
    """Memory that is in use and not swapped out."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    (resident,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(resident.split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Processor time since the process began, in user code and in the kernel."""
    # The name in parentheses may hold spaces; fields 14 and 15 follow behind it.
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
