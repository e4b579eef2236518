"""This machine's processor, as Linux describes it."""

import platform
import re
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
X86_64 = ("x86_64", "AMD64")
"""What systems call the architecture."""


def name() -> str:
    """Return the processor's own name, or its architecture where the system does not tell."""
    found = re.search(r"^model name\s*:\s*(.+)$", _description(), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def has_avx2() -> bool:
    """Say whether this is known to be an x86-64 processor with AVX2."""
    flags = re.search(r"^flags\s*:(.*)$", _description(), re.MULTILINE)
    return platform.machine() in X86_64 and flags is not None and "avx2" in flags[1].split()


def _description() -> str:
    return CPU_INFO.read_text(encoding="utf-8") if CPU_INFO.exists() else ""
