"""What must be light is light: no TensorFlow unless a dream or a network is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = "{'tensorflow', 'keras', 'numpy', 'PIL', 'requests'}"


def imported(code: str, among: str = HEAVY) -> list[str]:
    """Which heavy packages a fresh Python has imported after `code`."""
    show = f"print(*sorted({among} & set(sys.modules)))"
    wrapped = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n{show}"
    run = subprocess.run([sys.executable, "-c", wrapped], text=True, capture_output=True, check=True)
    return run.stdout.splitlines()[-1].split()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["dream", "--help"],
        ["sheet", "--help"],
        ["compare", "--help"],
        ["models"],
        ["plugins"],
        ["options"],
        ["--version"],
        ["dream", "--octaves", "x"],
        ["draem"],
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments):
    assert imported(f"from dreamkit.cli import main; main({arguments})") == []


@pytest.mark.parametrize("command", ["models", "plugins", "options"])
def test_lists_do_without_pydantic(command):
    """Typer imports it to read options, unless they are flags that are off."""
    code = f"from dreamkit.cli import main; main(['{command}'])"
    assert "pydantic" not in imported(code, among="{'pydantic'}")


def test_importing_the_library_imports_nothing_heavy():
    assert imported("import dreamkit") == []


@pytest.mark.parametrize("command", ["dream", "sheet"])
def test_wrong_pictures_are_found_before_tensorflow(command):
    assert "tensorflow" not in imported(f"from dreamkit.cli import main; main(['{command}', 'nope.jpg'])")


def test_pictures_are_compared_without_tensorflow():
    compare = "main(['compare', 'docs/pictures/chelsea.jpg', 'nope.jpg'])"
    assert "tensorflow" not in imported(f"from dreamkit.cli import main; {compare}")


@pytest.mark.parametrize("how", ["--quick", "--json"])
def test_the_doctor_imports_tensorflow_in_another_process_alone(how):
    assert not {"tensorflow", "keras"} & set(
        imported(f"from dreamkit.cli import main; main(['doctor', '{how}'])")
    )


def test_this_test_can_fail():
    assert "tensorflow" in imported("import dreamkit.engine.tf.network")
