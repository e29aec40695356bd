"""Threads that compute batches of tiles."""

from __future__ import annotations

from threading import Barrier, Event, Thread, current_thread

import pytest

from dreamkit.engine import tile_threads


def threads_of(calls, batches, devices):
    """The threads that computed in several calls; the objects, since numbers of threads are used again."""
    found = [tile_threads.compute(lambda *_: current_thread(), range(batches), devices) for _ in range(calls)]
    return {thread for each in found for thread in each}


def test_results_are_in_the_order_of_the_batches_whose_devices_take_turns():
    found = tile_threads.compute(lambda batch, device: (batch, device), range(5), ["a", "b"])
    assert found == [(0, "a"), (1, "b"), (2, "a"), (3, "b"), (4, "a")]
    assert tile_threads.compute(lambda batch, device: (batch, device), [], ["a", "b"]) == []


@pytest.mark.parametrize(("batches", "devices"), [(1, ["", ""]), (4, [""])])
def test_one_at_a_time_is_computed_in_one_thread_call_after_call(batches, devices):
    assert len(threads_of(20, batches, devices)) == 1


def test_threads_are_kept_for_pictures_of_one_size():
    tile_threads.keep_for((3, 4))
    (first,) = threads_of(2, 1, [""])
    tile_threads.keep_for((3, 4))
    assert threads_of(2, 1, [""]) == {first}
    tile_threads.keep_for((4, 3))
    assert not first.is_alive()
    assert first not in threads_of(2, 1, [""])


def test_several_at_a_time_are_computed_in_the_same_threads_call_after_call():
    found = threads_of(20, 4, ["", ""])
    assert 1 <= len(found) <= 2
    assert current_thread() not in found
    both = Barrier(2, timeout=60)
    together = tile_threads.compute(lambda *_: (both.wait(), current_thread())[1], range(2), ["", ""])
    assert found <= set(together)


def test_each_calling_thread_has_its_own():
    found = []
    other = Thread(target=lambda: found.append(threads_of(2, 4, ["", ""])))
    other.start()
    other.join()
    assert found[0].isdisjoint(threads_of(2, 4, ["", ""]))


def test_an_error_is_raised_when_no_other_batch_is_being_computed():
    both, failing, ended = Barrier(2, timeout=60), Event(), Event()

    def compute(batch, _):
        both.wait()
        if batch == 0:
            failing.set()
            raise MemoryError("too little")
        failing.wait(60)
        sum(range(10**6))
        ended.set()

    with pytest.raises(MemoryError, match="too little"):
        tile_threads.compute(compute, range(2), ["", ""])
    assert ended.is_set()
