"""The plan of a large batch: enough machines, and not one too many."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import plan_batch

REPORT = {"threads": 1, "memory_of_a_worker": 900_000_000, "seconds_per_picture": 2.0, "dreamed": 9}
MACHINE = plan_batch.Machine(16, 32_000_000_000)


def plan(report=REPORT, machine=MACHINE, *, pictures=1_000_000, hours=24.0, price=0.04, start=60.0):
    return plan_batch.plan(report, machine, pictures=pictures, hours=hours, price=price, start=start)


def test_a_million_pictures():
    """A million of 2 s are 555.6 core-hours; 16 cores for a day are 384."""
    found = plan()
    assert (found.workers, found.machines, found.limit) == (16, 2, "cores")
    assert found.hours == pytest.approx(1_000_000 * 2 / 32 / 3600 + 60 / 3600)
    assert found.cost == pytest.approx(32 * found.hours * 0.04)
    assert found.rate == 16
    assert plan(machine=plan_batch.Machine(16, 4_000_000_000)).limit == "memory"


@given(
    st.integers(1, 10**7), st.floats(0.5, 100), st.floats(0.05, 500), st.integers(1, 64), st.integers(1, 4)
)
def test_machines_are_enough_and_not_one_too_many(pictures, hours, seconds, cores, threads):
    report = {**REPORT, "seconds_per_picture": seconds, "threads": min(threads, cores)}
    machine = plan_batch.Machine(cores, 10**12)
    found = plan(report, machine, pictures=pictures, hours=hours, start=60.0)
    left, each = 3600 * hours - 60, found.workers * seconds
    assert found.machines * found.workers * left >= pictures * seconds * (1 - 1e-9)
    assert found.machines == 1 or (found.machines - 1) * found.workers * left < pictures * seconds
    assert found.hours <= hours + seconds / 3600 + 1e-6  # the last picture of each is whole
    assert found.rate == pytest.approx(found.machines * each / seconds**2)


def test_what_cannot_be_planned_is_one_line(tmp_path, monkeypatch, capsys):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(REPORT))

    def message(*arguments):
        monkeypatch.setattr(sys, "argv", ["plan_batch.py", str(path), *arguments])
        with pytest.raises(SystemExit):
            plan_batch.main()
        return capsys.readouterr().err.splitlines()[-1]

    assert "no room for a worker" in message("--memory", "0.5")
    assert "60 s to start" in message("--hours", "0.01")
    path.write_text(json.dumps({**REPORT, "dreamed": 0}))
    assert "dreamed nothing" in message()
