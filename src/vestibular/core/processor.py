"""This machine's processor, as Linux describes it."""

import platform
import re
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""Flags of the instructions that multiply matrices of bfloat16; without them it is slower."""
X86_64 = ("x86_64", "AMD64")
"""What systems call the architecture."""


def name() -> str:
    """Return the processor's own name, or its architecture where the system does not tell."""
    found = re.search(r"^model name\s*:\s*(.+)$", _description(), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def has_avx2() -> bool:
    """Say whether this is known to be an x86-64 processor with AVX2."""
    return platform.machine() in X86_64 and "avx2" in _flags()


def multiplies_bfloat16() -> bool:
    """Say whether this is known to be an x86-64 processor with instructions for bfloat16."""
    return platform.machine() in X86_64 and not _flags().isdisjoint(BFLOAT16)


def _flags() -> set[str]:
    found = re.search(r"^flags\s*:(.*)$", _description(), re.MULTILINE)
    return set(found[1].split()) if found else set()


def _description() -> str:
    return CPU_INFO.read_text(encoding="utf-8") if CPU_INFO.exists() else ""
