"""What a dream's last bits depend on beside its recipe: the processor, the threads, the way it computes."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import tensorflow as tf

from dreamkit.engine import process
from dreamkit.engine.tf import private


def describe(threads: int | None = None) -> dict[str, Any]:
    """This machine as plain data: `processor`, `threads`, `onednn`, and `gpu` where there is one.

    `threads` is TensorFlow's number in the process that dreams; None for this process.
    """
    found: dict[str, Any] = {
        "processor": _processor(),
        "threads": threads or private.threads() or process.cores(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    }
    if private.has_gpu():
        gpu, *_ = tf.config.list_physical_devices("GPU")
        found["gpu"] = tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
    return found


@cache
def _processor() -> str:
    """The processor's name, as the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
