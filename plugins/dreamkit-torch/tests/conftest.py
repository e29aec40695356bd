"""What the tests share: the real program, in the environment in which this plugin is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("dreamkit")
NO_NETWORK = "http://127.0.0.1:9"  # where no proxy listens


@pytest.fixture
def dreamkit(tmp_path):
    """Runs `dreamkit ARGUMENTS` in a folder of its own, without a network and with empty caches."""

    def run(*arguments, **variables):
        environment = {
            **os.environ,
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NO_NETWORK),
            **{name: str(tmp_path / name) for name in ("DREAMKIT_HOME", "HF_HOME", "TORCH_HOME")},
            **variables,
        }
        return subprocess.run(
            [PROGRAM, *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )

    return run
