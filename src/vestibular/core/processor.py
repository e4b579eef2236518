"""This machine's processor, as described by Linux."""

import platform
import re
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""Flags of instructions that multiply bfloat16 matrices; without them bfloat16 is slower."""
X86_64 = ("x86_64", "AMD64")
"""Names of this architecture in different systems."""


def name() -> str:
    """Return the processor's model name, or its architecture if the name is unknown."""
    found = re.search(r"^model name\s*:\s*(.+)$", _description(), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def has_avx2() -> bool:
    """Return whether this is known to be an x86-64 processor with AVX2."""
    return platform.machine() in X86_64 and "avx2" in _flags()


def multiplies_bfloat16() -> bool:
    """Return whether this is known to be an x86-64 processor with bfloat16 instructions."""
    return platform.machine() in X86_64 and not _flags().isdisjoint(BFLOAT16)


def _flags() -> set[str]:
    found = re.search(r"^flags\s*:(.*)$", _description(), re.MULTILINE)
    return set(found[1].split()) if found else set()


def _description() -> str:
    return CPU_INFO.read_text(encoding="utf-8") if CPU_INFO.exists() else ""
