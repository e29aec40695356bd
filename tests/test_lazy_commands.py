"""Commands are made when they are asked for, and once."""

from __future__ import annotations

import typer

from dreamkit.cli import app
from dreamkit.cli.lazy_commands import LazyCommands, command_of


def test_a_command_is_made_once_and_alone():
    made = []

    def maker(name):
        return lambda: made.append(name) or name.upper()

    commands = LazyCommands({name: maker(name) for name in ("one", "two", "three")})
    assert (list(commands), len(commands), "two" in commands) == (["one", "two", "three"], 3, True)
    assert commands.get("four") is None
    assert made == []
    assert [commands["two"], commands.get("two")] == ["TWO", "TWO"]
    assert made == ["two"]
    commands["two"] = "another"
    del commands["three"]
    assert dict(commands) == {"one": "ONE", "two": "another"}


def test_a_command_calls_its_function():
    called = []

    def greet(name: str, often: int = 1) -> None:
        called.append((name, often))

    command = command_of("greet", greet)
    command.main(["you", "--often", "2"], standalone_mode=False)
    assert (command.name, called) == ("greet", [("you", 2)])


def test_every_command_is_listed_and_has_its_name():
    root = typer.main.get_command(app)
    assert len(root.commands) > 20
    for name, command in root.commands.items():
        assert command.name == name
        assert command.help or command.short_help
