"""Converters of plugins: commands of `dreamkit convert`, of which none is imported before it is asked for."""

from __future__ import annotations

import sys

import pytest

from dreamkit import cli
from dreamkit.cli import plugin_converters
from dreamkit.plugins.converters import Converter

HOOK = """
from dreamkit import Converter, hookimpl

@hookimpl
def dreamkit_converters():
    {body}
"""
GOOD = 'yield Converter(name="stone", help="Convert stones.", command="stones_command:stone")'
COMMAND = '''
import typer

def stone(weight: int = typer.Option(1, "--weight")) -> None:
    """Convert stones, all of them."""
    print("a stone of", weight)
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Installs a plugin `NAME` with this code of its hook, and a module with its command."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def installed(name, body, command=COMMAND):
        info = site / f"dreamkit_{name}-0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dreamkit-{name}\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(f"[dreamkit]\n{name} = {name}\n")
        (site / f"{name}.py").write_text(HOOK.format(body=body))
        (site / f"{name}_command.py").write_text(command)

    yield installed
    for name in ("stones", "stones_command", "others"):
        sys.modules.pop(name, None)


def test_a_plugin_adds_a_command(plugin, run):
    plugin("stones", GOOD)
    code, out, err = run("convert", "--help")
    assert (code, err) == (0, "")
    assert "Convert stones." in out
    assert "onnx" in out
    assert "stones_command" not in sys.modules
    code, out, err = run("convert", "stone", "--weight", "3")
    assert (code, out, err) == (0, "a stone of 3\n", "")
    assert "all of them" in run("convert", "stone", "--help")[1]
    assert "--log-format" in run("convert", "stone", "--help")[1]
    assert "converters stone" in run("plugins")[1]


def test_a_function_itself_is_a_command(plugin, run):
    plugin("stones", 'yield Converter(name="stone", help="Convert.", command=lambda: print("done"))')
    assert run("convert", "stone") == (0, "done\n", "")


def test_dreamkits_own_converters_import_no_plugin(plugin, run):
    plugin("stones", "raise RuntimeError('broken')")
    code, _, err = run("convert", "onnx", "--help")
    assert (code, err) == (0, "")
    assert "stones" not in sys.modules
    assert run("--help")[0] == 0
    assert "stones" not in sys.modules


def test_a_broken_plugin_is_named_and_the_others_work(plugin, run):
    plugin("others", "raise RuntimeError('broken')")
    plugin("stones", GOOD)
    code, out, err = run("convert", "stone")
    assert (code, out) == (0, "a stone of 1\n")
    assert err == (
        "warning: plugin dreamkit-others failed: RuntimeError: broken (to remove it: pip uninstall "
        "dreamkit-others)\n"
    )


@pytest.mark.parametrize(
    ("command", "failure"),
    [
        (
            "import a_package_that_is_nowhere",
            "ModuleNotFoundError: No module named 'a_package_that_is_nowhere'",
        ),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("", "AttributeError: module 'stones_command' has no attribute 'stone'"),
    ],
)
def test_a_command_that_cannot_be_imported_is_one_line(plugin, run, command, failure):
    plugin("stones", GOOD, command)
    code, out, err = run("convert", "stone")
    assert (code, out) == (1, "")
    assert err == (
        f"error: the converter stone of dreamkit-stones failed: {failure} (to remove it: pip uninstall "
        "dreamkit-stones)\n"
    )
    assert run("convert", "--help")[0] == 0


@pytest.mark.parametrize("name", ["onnx", "stone"])
def test_a_name_that_is_taken_is_refused(plugin, run, name):
    body = f'yield Converter(name="{name}", help="Mine.", command="stones_command:stone")'
    plugin("others", body)
    plugin("stones", body)
    _, _, err = run("convert", "--help")
    owner = "deepdreamkit" if name == "onnx" else "dreamkit-others"
    assert (
        f"plugin dreamkit-stones converter '{name}' is already provided by {owner}; that one is used" in err
    )


def test_a_converter_that_is_not_there(run):
    code, out, err = run("convert", "kaffe")
    assert (code, out) == (2, "")
    assert (
        err == "error: there is no converter 'kaffe'; did you mean caffe? (plugins provide more converters)\n"
    )


def test_a_plugin_that_is_known_is_named_with_its_command(run, monkeypatch):
    monkeypatch.setattr(plugin_converters, "plugin_command", "install {}".format)
    code, out, err = run("convert", "torch", "timm:resnet18", "--name", "x")
    assert (code, out) == (2, "")
    assert err == (
        "error: dreamkit convert torch comes with a plugin, which is not installed; run: install "
        "dreamkit-torch\n"
    )


@pytest.mark.parametrize(
    "field",
    [{"name": "a b"}, {"name": ""}, {"help": "two\nlines"}, {"help": ""}, {"command": "x"}, {"command": 1}],
)
def test_a_record_that_is_wrong_names_its_field(field):
    given = {"name": "stone", "help": "Convert.", "command": "module:function", **field}
    with pytest.raises(ValueError, match=f"converter.*{next(iter(field))}"):
        Converter(**given)


def test_commands_are_those_of_the_records():
    assert cli.plugin_converters.names() == ["caffe", "keras", "onnx", "tensorflow"]
