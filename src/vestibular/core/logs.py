"""Quiet libraries: what they say in the ordinary course of work is kept off the log."""

import logging
import os
import warnings


def silence_libraries() -> None:
    """Silence notes, progress bars of milliseconds, and telemetry; errors still come through.

    Call it before the libraries are imported: some speak while they are.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # tells of each retry; what comes of them is in our own message
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    # says at import that a GPU-like kernel for 4 bit could be installed for CPUs
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # peft still asks transformers by an old name
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    # bitsandbytes tells of its cast to half precision at every matrix product on a CPU
    warnings.filterwarnings("ignore", message="MatMul8bitLt: inputs will be cast")
