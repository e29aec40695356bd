"""Signals that end a process: they do what Ctrl-C does, and wait until a step is whole."""

from __future__ import annotations

import signal

import pytest

from dreamkit.cli import terminal
from dreamkit.engine import interrupts
from dreamkit.executors import local


@pytest.fixture(autouse=True)
def handlers():
    """The handlers of this process, as they were."""
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    yield
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def number_of(name, monkeypatch):
    """A signal that only reaches the test; Ctrl-Break's is another one where this system has none."""
    if not hasattr(signal, name) and hasattr(signal, "SIGUSR1"):
        monkeypatch.setattr(signal, name, signal.SIGUSR1, raising=False)
    if not hasattr(signal, name):
        pytest.skip(f"this system has no {name}")
    number = getattr(signal, name)
    signal.signal(number, lambda *_: None)
    return number


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGBREAK"])
def test_a_signal_that_ends_a_process_waits_for_the_step_and_is_ctrl_c(name, monkeypatch):
    number = number_of(name, monkeypatch)
    seen = []

    def dream():
        with interrupts.deferred():
            signal.raise_signal(number)
            seen.append("the rest of the step")
        seen.append("more steps")

    with terminal.ended_as_by_ctrl_c(), pytest.raises(KeyboardInterrupt):
        dream()
    assert (seen, terminal.interrupted_code()) == (["the rest of the step"], 128 + number)


def test_a_process_that_ignores_a_signal_goes_on_ignoring_it(monkeypatch):
    number = number_of("SIGBREAK", monkeypatch)
    signal.signal(number, signal.SIG_IGN)
    with terminal.ended_as_by_ctrl_c(), interrupts.deferred():
        signal.raise_signal(number)
    assert signal.getsignal(number) == signal.SIG_IGN


@pytest.mark.parametrize("name", ["SIGINT", "SIGBREAK"])
def test_a_worker_leaves_the_keys_to_its_parent(name, monkeypatch):
    number = number_of(name, monkeypatch)
    local._take_signals()
    assert signal.getsignal(number) == signal.SIG_IGN
