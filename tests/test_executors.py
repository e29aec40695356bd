"""Executors: how many workers there are, what they do, and what happens when they crash."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from dreamkit.engine import process as engine_process
from dreamkit.errors import ConfigError, ImageError
from dreamkit.executors import local, pool_size, ray, scheduler
from dreamkit.executors.pool_size import PoolSize
from dreamkit.executors.scheduler import TaskResult, WorkersError
from dreamkit.media import free_memory


def test_a_pool_has_a_process_for_each_core_as_far_as_memory_goes(monkeypatch):
    monkeypatch.setattr(engine_process, "cores", lambda: 8)
    monkeypatch.setattr(pool_size, "_gpus", lambda: 0)
    monkeypatch.setattr(free_memory, "available", lambda: 10 << 30)
    fastest = pool_size.fastest
    assert fastest(100, 1 << 30) == PoolSize(8, 1)
    assert fastest(3, 1 << 30) == PoolSize(3, 2)
    assert fastest(100, 4 << 30) == PoolSize(2, 4)
    assert fastest(100, 20 << 30) == PoolSize(1, 8)
    assert fastest(100, 1 << 30, threads=4) == PoolSize(2, 4)
    assert fastest(100, 20 << 30, jobs=5) == PoolSize(5, 1)
    assert fastest(1, 1 << 30, total=100) == PoolSize(1, 1)  # as many threads as the run began with
    monkeypatch.setattr(pool_size, "_gpus", lambda: 2)
    assert fastest(100, 1 << 30) == PoolSize(2, 4, 2)
    with pytest.raises(ConfigError, match="jobs is 0"):
        fastest(1, 1, jobs=0)


def chain(tasks, results):
    for task in tasks:
        results[task] = yield task


class Doubler:
    """A worker that needs no network. Some tasks kill its process or fail."""

    def __init__(self, folder):
        self.folder = folder

    def begin(self):
        self.has_begun = True

    def do(self, task, on_event):
        assert self.has_begun
        on_event(("started", task))
        if task == "crash once" and self.is_first(task):
            os._exit(1)
        if task == "exit once" and self.is_first(task):
            os.kill(os.getpid(), signal.SIGTERM)
        if task == "fail":
            raise ImageError("no such picture")
        if task == "bug":
            raise ZeroDivisionError("a bug")
        return task * 2

    def is_first(self, name):
        """Whether no process has asked this before."""
        try:
            (self.folder / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


@pytest.mark.heavy
def test_chains_are_done_and_crashed_workers_are_replaced(tmp_path):
    results, events = {}, []
    chains = [
        chain(["a", "b", "c"], results),
        *(chain([task], results) for task in ("crash once", "exit once", "fail", "bug")),
        chain([], results),
    ]
    local.run(PoolSize(2, 1), Doubler(tmp_path), chains, events.append)
    assert {task: result.value for task, result in results.items() if result.value} == {
        "a": "aa",
        "b": "bb",
        "c": "cc",
        "crash once": "crash oncecrash once",
        "exit once": "exit onceexit once",
    }
    assert str(results["fail"].error) == "no such picture"
    assert str(results["bug"].error) == "ZeroDivisionError: a bug"
    assert "Traceback" in results["bug"].traceback
    assert ("started", "c") in events


class Unable(Doubler):
    def begin(self):
        raise ConfigError("there is no such model")


class CrashesOnceAtBegin(Doubler):
    def begin(self):
        super().begin()
        if self.is_first("begin"):
            os._exit(1)


@pytest.mark.heavy
def test_a_worker_that_cannot_begin_ends_the_run_with_its_error(tmp_path):
    with pytest.raises(ConfigError, match="no such model"):
        local.run(PoolSize(1, 1), Unable(tmp_path), [chain(["a"], {})], print)


class NeverBegun(Doubler):
    def begin(self):
        partial = self.folder / "partial"
        partial.touch()
        try:
            os.close(os.open(self.folder / "loading", os.O_WRONLY))  # a pipe, which waits for its reader
            while True:  # Python handles a signal between two steps of its own
                threading.Event().wait(0.01)
        finally:
            partial.unlink()


@pytest.mark.heavy
def test_ctrl_c_ends_workers_that_are_loading(tmp_path):
    """And what they have half written is removed."""
    os.mkfifo(tmp_path / "loading")

    def interrupt():
        (tmp_path / "loading").read_bytes()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        local.run(PoolSize(1, 1), NeverBegun(tmp_path), [chain(["a"], {})], print)
    thread.join()
    assert not (tmp_path / "partial").exists()
    assert multiprocessing.active_children() == []


@pytest.mark.heavy
def test_a_worker_that_crashes_while_it_begins_is_restarted(tmp_path):
    results = {}
    local.run(PoolSize(1, 1), CrashesOnceAtBegin(tmp_path), [chain(["a", "b"], results)], print)
    assert [result.value for result in results.values()] == ["aa", "bb"]


@pytest.mark.heavy
def test_a_worker_that_crashes_between_two_tasks_is_restarted(tmp_path):
    """The process is killed and gone before it is given the next task."""
    slot = local.LocalSlot(Doubler(tmp_path), PoolSize(1, 1), 0, print)
    results = {}

    def killing():
        for task in ("a", "b"):
            if task == "b":
                (process,) = slot._pool._processes.values()
                process.kill()
                process.join()
            results[task] = yield task

    try:
        scheduler.run([slot], [killing(), chain(["c"], results)], (local.BrokenProcessPool,))
    finally:
        slot.join()
    assert {task: result.value for task, result in results.items()} == {"a": "aa", "b": "bb", "c": "cc"}


class CrashError(Exception):
    """What the future of a scripted slot raises."""


class ScriptedSlot:
    """A slot that follows a script for its futures: "ok", an exception, or None for one that never ends."""

    def __init__(self, *script):
        self.script = list(script)
        self.log = []

    def begin(self):
        return self.next("begin")

    def do(self, task):
        return self.next(f"do {task}")

    def restart(self):
        self.log.append("restart")

    def next(self, what):
        self.log.append(what)
        future = Future()
        entry = self.script.pop(0) if self.script else "ok"
        if entry == "ok":
            future.set_result(TaskResult(what))
        elif entry is not None:
            future.set_exception(entry)
        return future


def test_a_task_is_tried_again_after_its_new_worker_has_begun():
    slot, results = ScriptedSlot("ok", CrashError(), CrashError(), "ok"), {}
    scheduler.run([slot], [chain(["a"], results)], (CrashError,))
    assert slot.log == ["begin", "do a", "restart", "begin", "restart", "begin", "do a"]
    assert results["a"].value == "do a"


def test_a_chain_goes_on_after_a_task_that_crashed_every_worker():
    slot, results = ScriptedSlot("ok", *[CrashError(), "ok"] * scheduler.TRIES), {}
    scheduler.run([slot], [chain(["a", "b"], results)], (CrashError,))
    assert slot.log.count("do a") == scheduler.TRIES
    assert isinstance(results["a"].error, WorkersError)
    assert results["b"].value == "do b"
    with pytest.raises(WorkersError, match=r"^frame 7: it crashed 3 workers"):
        results["a"].raise_error("frame 7")
    results["b"].raise_error("frame 8")


def test_the_task_of_a_slot_that_is_given_up_goes_to_another():
    lost = ScriptedSlot("ok", CrashError(), *[CrashError()] * scheduler.TRIES)
    other, results = ScriptedSlot(), {}
    scheduler.run([lost, other], [chain([name], results) for name in "abc"], (CrashError,))
    assert sorted(results) == ["a", "b", "c"]
    assert {result.error for result in results.values()} == {None}


def test_workers_that_all_crash_while_they_begin_end_the_run():
    slots = [ScriptedSlot(*[CrashError()] * scheduler.TRIES) for _ in range(2)]
    with pytest.raises(WorkersError, match="every worker crashed while it began"):
        scheduler.run(slots, [chain(["a"], {})], (CrashError,))
    assert slots[0].log == ["begin", "restart"] * (scheduler.TRIES - 1) + ["begin"]


def test_a_future_that_fails_is_not_dropped():
    for script in (
        [ZeroDivisionError()],
        ["ok", ZeroDivisionError()],
        ["ok", CrashError(), ZeroDivisionError()],
    ):
        with pytest.raises(ZeroDivisionError):
            scheduler.run([ScriptedSlot(*script)], [chain(["a"], {})], (CrashError,))


def test_a_run_does_not_wait_for_workers_that_it_does_not_need():
    results = {}
    scheduler.run([ScriptedSlot(None), ScriptedSlot()], [chain(["a"], results)], (CrashError,))
    assert results["a"].value == "do a"


RAYS_FOLDERS = {
    # platform and environment: the folder for temporary files that Ray chooses
    ("linux", ()): "/tmp",
    ("linux", ("TMPDIR",)): "by TMPDIR",
    ("linux", ("RAY_TMPDIR", "TMPDIR")): "by RAY_TMPDIR",
    ("darwin", ("TMPDIR",)): "/tmp",
    ("darwin", ("RAY_TMPDIR",)): "by RAY_TMPDIR",
    ("win32", ("TMPDIR",)): "the system's",
    ("win32", ("RAY_TMPDIR",)): "by RAY_TMPDIR",
}


@pytest.fixture(params=RAYS_FOLDERS)
def rays_folder(request, monkeypatch):
    platform, given = request.param
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(tempfile, "tempdir", "the system's")
    for name in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    for name in given:
        monkeypatch.setenv(name, f"by {name}")
    return RAYS_FOLDERS[request.param]


def test_the_address_of_a_ray_cluster_is_read_where_ray_writes_it(rays_folder):
    assert ray._address_file() == Path(rays_folder, "ray", "ray_current_cluster")


@pytest.fixture(scope="module")
def rays_own():
    """Ray's functions, imported while the platform is the real one."""
    return pytest.importorskip("ray._common.utils")


@pytest.mark.heavy  # for the time that Ray takes to import
def test_ray_writes_its_address_there(rays_own, rays_folder):
    assert Path(rays_own.get_ray_address_file(None)) == Path(rays_folder, "ray", "ray_current_cluster")
