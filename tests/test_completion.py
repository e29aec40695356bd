"""Completion through the program itself: what it answers, and what bash, zsh and fish make of it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.cli import completion
from dreamkit.cli.completion import Item

BROKEN = ROOT / "tests" / "data" / "dreamkit-broken"


@pytest.fixture(scope="module")
def program(tmp_path_factory, install):
    """The environment of a shell in which `dreamkit` is this one, with a plugin of one network."""
    tiny = install(ROOT / "tests" / "data" / "dreamkit-tiny")
    home = tmp_path_factory.mktemp("user")
    script = home / "bin" / "dreamkit"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dreamkit "$@"\n')
    script.chmod(0o755)
    return {
        **os.environ,
        "HOME": str(home),
        "DREAMKIT_HOME": str(home / "dreamkit"),
        "PATH": os.pathsep.join([str(script.parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(tiny), str(ROOT)]),
        "TERM": "dumb",
    }


@pytest.fixture
def complete(run, monkeypatch):
    """The words that bash would be given for a line, of which the last word is incomplete."""
    monkeypatch.setenv("COLUMNS", "80")  # so that what an answer sets is undone

    def complete(line):
        monkeypatch.setenv("_DREAMKIT_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        _, out, err = run()
        assert err == ""
        return out.split()

    return complete


# What dreamkit answers


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dreamkit recip", ["recipes"]),
        ("dreamkit do", ["doctor"]),
        ("dreamkit concept l", ["learn"]),
        ("dreamkit convert on", ["onnx"]),
        ("dreamkit --show", ["--show-completion"]),
        ("dreamkit dream --octave-sc", ["--octave-scale", "--octave-scheme"]),
        ("dreamkit convert caffe --lab", ["--labels"]),
        ("dreamkit dream --model inception5", ["inception5h"]),
        ("dreamkit dream -m tin", ["tiny", "tiny_interrupted", "tiny_nan"]),
        ("dreamkit layers pocket1", ["pocket1"]),
        ("dreamkit dream --recipe clockw", ["clockwork"]),
        ("dreamkit recipes clockw", ["clockwork"]),
        ("dreamkit dream --concept butterf", ["butterflies"]),
        ("dreamkit concept show butterf", ["butterflies"]),
        ("dreamkit concept learn butterf", []),
        ("dreamkit dream --layers mixed4", ["mixed4a", "mixed4b", "mixed4c", "mixed4d", "mixed4e"]),
        ("dreamkit dream -m inception_v3 --layers mixed10", ["mixed10"]),
        ("dreamkit dream -m inception_v3=0.5 --layers mixed3,mixed10", ["mixed3,mixed10"]),
        ("dreamkit dream -m tiny -l lo", ["low"]),
        ("dreamkit dream --layers h", ["high"]),
        ("dreamkit dream -m nobody --layers mixed", []),
        ("dreamkit dream --color n", ["natural"]),
        ("dreamkit dream --strength ", ["subtle", "normal", "wild"]),
        ("dreamkit film --codec v", ["vp9"]),
        ("dreamkit dream --log-format j", ["json"]),
        ("dreamkit dream --seed ", []),
        ("dreamkit dream --color keep --color n", ["natural"]),
        ("dreamkit dream ", []),
        ("dreamkit nothing --mo", []),
        ("dreamkit --version do", ["doctor"]),
    ],
)
def test_words_are_completed(complete, line, words):
    assert complete(line) == words


def test_a_broken_plugin_says_nothing_while_a_line_is_written(complete, install, monkeypatch):
    monkeypatch.syspath_prepend(str(install(BROKEN)))
    assert "pocket" in complete("dreamkit dream --model ")


def test_completion_imports_nothing_heavy(program):
    asked = {
        "COMP_WORDS": "dreamkit dream --layers ",
        "COMP_CWORD": "3",
        "_DREAMKIT_COMPLETE": "complete_bash",
    }
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*sorted({'tensorflow', 'keras', 'PIL'} & set(sys.modules)), 'end'))\n"
        "from dreamkit.cli import main; main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env={**program, **asked}, text=True, capture_output=True, check=True
    )
    *words, end = run.stdout.splitlines()
    assert "mixed4c" in words
    assert end == "end"


@given(st.text(alphabet="abm,4", max_size=12), st.lists(st.text("abm4", min_size=1, max_size=4), max_size=6))
def test_only_the_last_part_of_a_list_is_completed(incomplete, known):
    found = completion._matching(lambda _: map(Item, known), None, incomplete)
    *before, begun = incomplete.split(",")
    assert all(each.value.startswith(incomplete) for each in found)
    expected = [word for word in dict.fromkeys(known) if word.startswith(begun)]
    assert [each.value.split(",")[-1] for each in found] == expected
    assert all(each.value.split(",")[:-1] == before for each in found)


# Scripts, and where they are written


def shell_of(name):
    found = shutil.which(name)
    if found is None or os.name == "nt":
        pytest.skip(f"{name} is not installed, or not as on Unix")
    return found


def script_of(shell, program):
    asked = {**program, "_DREAMKIT_COMPLETE": f"source_{shell}"}
    return subprocess.run(["dreamkit"], env=asked, text=True, capture_output=True, check=True).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_the_shell_that_asks_is_shown(shell, program):
    command = [shell_of(shell), "-c", "dreamkit --show-completion; true"]
    shown = subprocess.run(command, env=program, text=True, capture_output=True, check=True)
    assert shown.stdout == script_of(shell, program)
    assert f"_DREAMKIT_COMPLETE=complete_{shell}" in shown.stdout


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".bash_completions/dreamkit.sh"),
        ("zsh", ".zfunc/_dreamkit"),
        ("fish", ".config/fish/completions/dreamkit.fish"),
    ],
)
def test_the_script_is_installed_where_the_shell_looks(shell, file, program, tmp_path):
    command = [shell_of(shell), "-c", "dreamkit --install-completion; true"]
    run = subprocess.run(
        command, env={**program, "HOME": str(tmp_path)}, text=True, capture_output=True, check=True
    )
    assert str(tmp_path / file) in run.stdout
    assert (tmp_path / file).read_text().strip() == script_of(shell, program).strip()


def test_a_shell_without_completion_is_refused(program, tmp_path, monkeypatch):
    import shellingham

    monkeypatch.setattr(shellingham, "detect_shell", lambda: ("tcsh", "/bin/tcsh"))
    with pytest.raises(
        Exception, match="dreamkit was started by tcsh; completion is for bash, zsh, fish"
    ) as caught:
        completion._shell("dreamkit")
    assert caught.value.exit_code == 2

    def none():
        raise shellingham.ShellDetectionFailure

    monkeypatch.setattr(shellingham, "detect_shell", none)
    with pytest.raises(Exception, match="cannot be found; .* _DREAMKIT_COMPLETE=source_bash dreamkit prints"):
        completion._shell("dreamkit")


# In the shells

LINES = [
    ("dreamkit dream --model inception_v3 --layers mixed5,mixed10", "mixed5,mixed10"),
    ("dreamkit dream --recip", "--recipe"),
    ("dreamkit dream kitt", "kitten.jpg"),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "kitten.jpg").touch()
    return tmp_path


def test_bash_completes(program, folder):
    calls = "".join(
        f"COMP_WORDS=({line}); COMP_CWORD={len(line.split()) - 1}; _dreamkit_completion dreamkit; "
        'echo "${COMPREPLY[*]}"\n'
        for line, _ in LINES[:-1]
    )
    command = [
        shell_of("bash"),
        "--norc",
        "-c",
        script_of("bash", program) + "\ncomplete -p dreamkit\n" + calls,
    ]
    run = subprocess.run(command, cwd=folder, env=program, text=True, capture_output=True, check=True)
    registered, *found = run.stdout.splitlines()
    assert registered == "complete -o default -F _dreamkit_completion dreamkit"  # by default, files
    assert found == [word for _, word in LINES[:-1]]


def test_fish_completes(program, folder):
    calls = "".join(f"complete -C {shlex.quote(line)}\n" for line, _ in LINES)
    command = [shell_of("fish"), "--no-config", "-c", script_of("fish", program) + "\n" + calls]
    run = subprocess.run(command, cwd=folder, env=program, text=True, capture_output=True, check=True)
    assert [line.split("\t")[0] for line in run.stdout.splitlines()] == [word for _, word in LINES]


def test_zsh_completes(program, folder):
    """In a terminal, because zsh completes nowhere else: TAB, then a key that prints the line."""
    shell = shell_of("zsh")
    import pty  # which Windows does not have

    (folder / "script").write_text(script_of("zsh", program))
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execve(shell, [shell, "-f", "-i"], program)

    def send(text):
        os.write(terminal, text.encode())

    def until(pattern):
        seen = ""
        while not (found := re.search(pattern, seen)):
            seen += os.read(terminal, 4096).decode(errors="replace")
        return found[1]

    try:
        send(
            "PS1=; autoload -Uz compinit; compinit -u -D; source ./script; zle -N show; bindkey '^X' show; "
            'show() { print -r -- "[$BUFFER]"; zle kill-buffer }; print REA""DY\n'
        )
        until("(READY)")
        for line, word in LINES:
            send(f"{line}\t\x18")
            assert until(r"\[(dreamkit[^\]]*)\]").rstrip() == f"{line.rpartition(' ')[0]} {word}"
        send("exit\n")
    finally:
        os.close(terminal)
        os.waitpid(process, 0)
