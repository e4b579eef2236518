"""Silence the libraries' routine messages."""

import logging
import os
import warnings


def silence_libraries() -> None:
    """Silence notes, short-lived progress bars and telemetry; errors still come through.

    Call it before importing the libraries: some print while they are imported.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # it reports each retry; our own message reports the outcome
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    # on import it advertises an optional 4-bit kernel for CPUs
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # peft still uses a deprecated name of transformers
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    # bitsandbytes reports its cast to half precision for every matrix product on a CPU
    warnings.filterwarnings("ignore", message="MatMul8bitLt: inputs will be cast")
