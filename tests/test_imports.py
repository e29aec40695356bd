"""What must be light is light: no TensorFlow unless a dream or a network is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHOW = "import sys; print(*sorted({'tensorflow', 'keras', 'numpy', 'PIL', 'requests'} & set(sys.modules)))"


def imported(code: str) -> list[str]:
    """Which heavy packages a fresh Python has imported after `code`."""
    wrapped = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n{SHOW}"
    run = subprocess.run([sys.executable, "-c", wrapped], text=True, capture_output=True, check=True)
    return run.stdout.splitlines()[-1].split()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["dream", "--help"],
        ["models"],
        ["plugins"],
        ["--version"],
        ["dream", "--octaves", "x"],
        ["draem"],
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments):
    assert imported(f"from dreamkit.cli import main; main({arguments})") == []


def test_importing_the_library_imports_nothing_heavy():
    assert imported("import dreamkit") == []


def test_wrong_pictures_are_found_before_tensorflow():
    assert "tensorflow" not in imported("from dreamkit.cli import main; main(['dream', 'nope.jpg'])")


def test_this_test_can_fail():
    assert "tensorflow" in imported("import dreamkit.engine.network")
