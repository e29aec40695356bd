"""Weights files: fetched once, verified at every use, whole or not at all. The server is on loopback."""

from __future__ import annotations

import gc
import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import files_no_larger_than
from faults import held_by_another_process
from http_server import BODY, good, head, with_ranges

from dreamkit.errors import WeightsError
from dreamkit.media import downloads, paths
from dreamkit.models import weights
from dreamkit.models.providers import ModelProvider, Preprocess, Weights

HALF = len(BODY) // 2


def of_unknown_length(handler):
    head(handler, None)
    handler.wfile.write(BODY)


def damaged(handler):
    head(handler, len(BODY))
    handler.wfile.write(BODY[:-1] + bytes([BODY[-1] ^ 1]))


def empty(handler):
    head(handler, 0)


def cut_off(handler):
    head(handler, len(BODY))
    handler.wfile.write(BODY[:HALF])


def stalled(handler):
    head(handler, len(BODY))
    handler.wfile.write(BODY[:HALF])
    handler.server.over.wait()


def silent(handler):
    handler.server.over.wait()


def missing(handler):
    handler.send_error(404)


def broken(handler):
    handler.send_error(500)


def no_http(handler):
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A cache of this test's own, and no proxy between it and the server."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def record(url, algorithm="sha256", body=BODY):
    digest = hashlib.new(algorithm, body).hexdigest()
    return Weights(url=url, hash=f"{algorithm}:{digest}", file_name="tiny.weights.h5")


def provider(wanted):
    return ModelProvider(name="tiny", load=lambda _: None, preprocess=Preprocess(), layers={}, weights=wanted)


def cached(home):
    """The names of the files in the cache."""
    return sorted(path.name for path in home.rglob("*") if path.is_file())


# Fetching


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
@pytest.mark.parametrize("answer", [good, of_unknown_length])
def test_weights_are_fetched_into_the_cache(server, home, algorithm, answer):
    server.answer = answer
    path = weights.fetch(record(server.url, algorithm))
    assert path == home / "weights" / "tiny.weights.h5"
    assert path.read_bytes() == BODY
    assert cached(home) == ["tiny.weights.h5"]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_good_file_is_not_fetched_again(server, algorithm):
    wanted = record(server.url, algorithm)
    first = weights.fetch(wanted)
    server.answer = broken
    assert weights.fetch(wanted) == first
    assert server.asked == ["/tiny.h5"]


@pytest.mark.parametrize("old", [b"", BODY[:HALF], BODY + b"more", b"\0" * len(BODY)])
@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_damaged_file_in_the_cache_is_replaced(server, home, old, algorithm):
    wanted = record(server.url, algorithm)
    path = weights.cached_path(wanted)
    path.parent.mkdir(parents=True)
    path.write_bytes(old)
    assert weights.fetch(wanted).read_bytes() == BODY
    assert server.asked == ["/tiny.h5"]
    assert cached(home) == ["tiny.weights.h5"]


def without_end(handler):
    """Answers that there is nothing left to a question for everything."""
    handler.send_error(416)


def to_nowhere(handler):
    handler.send_response(302)
    handler.send_header("Location", "http://[::1/\u00ff")
    handler.end_headers()


BAD_ANSWERS = {
    without_end: "the server answered 416",
    to_nowhere: "cannot download",
    damaged: "arrived damaged or changed",
    empty: "arrived damaged or changed",
    cut_off: "the connection broke off",
    stalled: "the server stopped sending",
    silent: "the server did not answer in time",
    missing: "the server answered 404",
    broken: "the server answered 500",
    no_http: "connection",
}


def assert_says_how_to_go_on(message, wanted):
    """What failed, where the file would go, and the option: in two lines at most."""
    assert len(message.splitlines()) <= 2, message
    for part in (wanted.url, str(weights.cached_path(wanted).parent), wanted.file_name, "--weights"):
        assert part in message


# Requests leaves the connection open where a redirect cannot be followed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("answer", "message"), BAD_ANSWERS.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_a_bad_download_is_one_error_and_leaves_nothing(server, home, monkeypatch, answer, message):
    wanted = record(server.url)
    server.answer = answer
    with monkeypatch.context() as patience:
        if answer in (stalled, silent):
            patience.setattr(downloads, "READ_TIMEOUT", 0.5)
        with pytest.raises(WeightsError, match=message) as failed:
            weights.fetch(wanted)
    assert_says_how_to_go_on(str(failed.value), wanted)
    del failed
    gc.collect()  # so that this test hears of it, and no other
    assert cached(home) == []
    server.answer = good
    assert weights.fetch(wanted).read_bytes() == BODY


def test_a_bad_download_leaves_what_was_there(server, home):
    wanted = record(server.url)
    path = weights.cached_path(wanted)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"old and damaged")
    server.answer = cut_off
    with pytest.raises(WeightsError):
        weights.fetch(wanted)
    assert cached(home) == ["tiny.weights.h5"]
    assert path.read_bytes() == b"old and damaged"


def test_a_server_that_is_not_there_is_one_error(home):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    wanted = record(f"http://127.0.0.1:{port}/tiny.h5")
    with pytest.raises(WeightsError, match=rf"no connection to 127\.0\.0\.1:{port}") as failed:
        weights.fetch(wanted)
    assert_says_how_to_go_on(str(failed.value), wanted)
    assert cached(home) == []


@pytest.mark.parametrize(
    "url", ["http://", "http://[", "http://127.0.0.1:x/tiny.h5", "http://127.0.0.1:99999/tiny.h5"]
)
def test_a_url_that_is_none_is_one_error(url):
    wanted = record(url)
    with pytest.raises(WeightsError) as failed:
        weights.fetch(wanted)
    assert_says_how_to_go_on(str(failed.value), wanted)


def test_the_hash_that_was_expected_is_named(server):
    wanted = record(server.url)
    server.answer = damaged
    with pytest.raises(WeightsError) as failed:
        weights.fetch(wanted)
    assert wanted.hash in str(failed.value)


# Taking up again


def broken_off(server, wanted, **how):
    """A download that the server breaks off half way."""
    server.answer = lambda handler: with_ranges(handler, upto=HALF, **how)
    with pytest.raises(WeightsError, match="broke off"):
        weights.fetch(wanted)


def test_a_download_goes_on_where_it_broke_off(server, home):
    wanted = record(server.url)
    broken_off(server, wanted)
    assert cached(home) == ["tiny.weights.h5.part", "tiny.weights.h5.part.version"]
    server.answer = with_ranges
    received = []
    assert weights.fetch(wanted, lambda *numbers: received.append(numbers)).read_bytes() == BODY
    assert server.sent == [(0, HALF), (downloads._PIECE, len(BODY))]
    assert received[0][0] > HALF
    assert received[-1] == (len(BODY), len(BODY))
    assert cached(home) == ["tiny.weights.h5"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(server, home):
    wanted = record(server.url)
    broken_off(server, wanted, version='"an older one"', body=bytes(len(BODY)))
    server.answer = with_ranges
    assert weights.fetch(wanted).read_bytes() == BODY
    assert server.sent == [(0, HALF), (0, len(BODY))]


@pytest.mark.parametrize("stamp", [b"\xff\xfe", b'"1"\r\nX-Other: 1', b"x" * 5000, b"\0"])
def test_a_version_that_is_none_is_passed_over(server, home, stamp):
    wanted = record(server.url)
    broken_off(server, wanted)
    (home / "weights" / "tiny.weights.h5.part.version").write_bytes(stamp)
    server.answer = with_ranges
    assert weights.fetch(wanted).read_bytes() == BODY
    assert server.sent[-1] == (0, len(BODY))


def with_length(text):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", text)
        handler.end_headers()
        handler.wfile.write(BODY)

    return answer


@pytest.mark.parametrize("length", ["abc", "-1", "1e9"])
def test_a_length_that_is_no_number_is_passed_over(server, length):
    """What arrives counts, if its hash is right."""
    server.answer = with_length(length)
    assert weights.fetch(record(server.url)).read_bytes() == BODY


@pytest.mark.parametrize("length", ["5, 5", "9" * 40])
def test_a_length_that_is_wrong_is_one_error(server, length):
    server.answer = with_length(length)
    with pytest.raises(WeightsError, match="the connection broke off"):
        weights.fetch(record(server.url))


def test_nothing_of_another_version_is_left_once_the_version_is_known(server, home, monkeypatch):
    """A kill between both must not join the beginning of one file to the end of another."""
    wanted = record(server.url)
    broken_off(server, wanted, version='"an older one"', body=bytes(len(BODY)))
    server.answer = with_ranges
    part = home / "weights" / "tiny.weights.h5.part"
    seen = []
    write_text = type(part).write_text

    def watched(path, text, encoding=None):
        seen.append((part.stat().st_size, encoding))
        return write_text(path, text, encoding)

    monkeypatch.setattr(type(part), "write_text", watched)
    assert weights.fetch(wanted).read_bytes() == BODY
    assert seen == [(0, "utf-8")]  # a server may write what the system's own encoding lacks


def test_a_server_that_knows_no_ranges_sends_it_all_again(server, home):
    wanted = record(server.url)
    broken_off(server, wanted)
    server.answer = good
    assert weights.fetch(wanted).read_bytes() == BODY
    assert cached(home) == ["tiny.weights.h5"]


def test_a_part_that_is_longer_than_the_file_is_fetched_anew(server, home):
    wanted = record(server.url)
    broken_off(server, wanted)
    (home / "weights" / "tiny.weights.h5.part").write_bytes(BODY + b"more")
    server.answer = with_ranges
    assert weights.fetch(wanted).read_bytes() == BODY


def test_a_part_that_was_damaged_is_thrown_away(server, home):
    wanted = record(server.url)
    broken_off(server, wanted)
    (home / "weights" / "tiny.weights.h5.part").write_bytes(bytes(HALF))
    server.answer = with_ranges
    with pytest.raises(WeightsError, match="arrived damaged"):
        weights.fetch(wanted)
    assert cached(home) == []
    assert weights.fetch(wanted).read_bytes() == BODY


def test_two_programs_do_not_fetch_into_one_file(server, home):
    (home / "weights").mkdir(parents=True)
    with held_by_another_process(home / "weights" / "tiny.weights.h5.part.lock"):
        with pytest.raises(WeightsError, match="another program is fetching .*; wait until it is done"):
            weights.fetch(record(server.url))
        assert server.asked == []
    assert weights.fetch(record(server.url)).read_bytes() == BODY  # the other one was killed
    assert cached(home) == ["tiny.weights.h5"]


# Progress


@pytest.mark.parametrize(("answer", "total"), [(good, len(BODY)), (of_unknown_length, 0)])
def test_progress_rises_to_the_total(server, answer, total):
    server.answer = answer
    received = []
    weights.fetch(record(server.url), lambda *numbers: received.append(numbers))
    done = [so_far for so_far, _ in received]
    assert {whole for _, whole in received} == {total}
    assert len(received) >= 3
    assert 0 < done[0] < len(BODY)
    assert done == sorted(done)
    assert done[-1] == total or (not total and done[-1] >= len(BODY))


def test_no_progress_is_heard_of_a_cached_file(server):
    weights.fetch(record(server.url))
    received = []
    weights.fetch(record(server.url), lambda *numbers: received.append(numbers))
    assert received == []


def test_ctrl_c_leaves_nothing_that_cannot_be_taken_up(server, home):
    def interrupt(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.fetch(record(server.url), interrupt)
    assert weights.fetch(record(server.url)).read_bytes() == BODY
    assert cached(home) == ["tiny.weights.h5"]


FETCH_AND_TELL = """
import sys
from dreamkit.models import weights
from dreamkit.models.providers import Weights
url, hash = sys.argv[1:]
wanted = Weights(url=url, hash=hash, file_name="tiny.weights.h5")
weights.fetch(wanted, lambda done, total: print(done, flush=True))
"""


def test_a_download_that_is_killed_leaves_no_file_under_the_final_name(server, home):
    server.answer = stalled
    wanted = record(server.url)
    with subprocess.Popen(
        [sys.executable, "-c", FETCH_AND_TELL, wanted.url, wanted.hash], stdout=subprocess.PIPE, text=True
    ) as process:
        assert 0 < int(process.stdout.readline()) < len(BODY)
        process.kill()
    assert "tiny.weights.h5" not in cached(home)
    assert weights.state(provider(wanted)) == "to download"
    server.answer = good
    assert weights.fetch(wanted).read_bytes() == BODY


# A cache that cannot be


@pytest.mark.parametrize("below", ["", "below", "below/further"])
def test_a_cache_that_cannot_be_made_is_one_line(server, tmp_path, monkeypatch, below):
    (tmp_path / "file").write_bytes(b"kept")
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path / "file" / below))
    with pytest.raises(WeightsError, match="cannot keep weights in .*; set DREAMKIT_HOME") as failed:
        weights.fetch(record(server.url))
    assert "\n" not in str(failed.value)
    assert (tmp_path / "file").read_bytes() == b"kept"
    assert server.asked == []


def test_a_folder_in_the_way_is_one_line(server, home):
    weights.cached_path(record(server.url)).mkdir(parents=True)
    with pytest.raises(WeightsError, match="cannot keep weights in") as failed:
        weights.fetch(record(server.url))
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize("room", [0, HALF, len(BODY) - 1])
def test_a_full_disk_is_one_line_and_leaves_nothing(server, home, room):
    wanted = record(server.url)
    with files_no_larger_than(room), pytest.raises(WeightsError, match="cannot keep weights in") as failed:
        weights.fetch(wanted)
    assert "\n" not in str(failed.value)
    assert cached(home) == []
    assert weights.fetch(wanted).read_bytes() == BODY


# Where the cache is


def test_dreamkit_home_says_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path / "elsewhere"))
    assert weights.cached_path(record("http://x/")) == tmp_path / "elsewhere" / "weights" / "tiny.weights.h5"


def test_dreamkit_home_may_begin_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("DREAMKIT_HOME", "~/dreams")
    assert paths.cache() == tmp_path / "dreams"


@pytest.mark.skipif(sys.platform != "linux", reason="each platform has its own place")
@pytest.mark.parametrize("given", [None, ""])
def test_the_platforms_cache_is_the_default(monkeypatch, tmp_path, given):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DREAMKIT_HOME")
    if given is not None:
        monkeypatch.setenv("DREAMKIT_HOME", given)
    assert paths.cache() == tmp_path / "cache" / "dreamkit"


def test_the_cache_may_be_given_relative_to_the_working_folder(server, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DREAMKIT_HOME", "here")
    assert weights.fetch(record(server.url)).read_bytes() == BODY
    assert cached(tmp_path / "here") == ["tiny.weights.h5"]


# Which file is used


def test_a_model_without_weights_needs_none():
    assert weights.resolve(provider(None), None) is None


def test_a_models_weights_are_fetched(server, home):
    received = []
    path = weights.resolve(provider(record(server.url)), None, lambda *numbers: received.append(numbers))
    assert path == home / "weights" / "tiny.weights.h5"
    assert path.read_bytes() == BODY
    assert received[-1] == (len(BODY), len(BODY))


@pytest.mark.parametrize("with_record", [True, False])
@pytest.mark.parametrize("kind", [str, Path])
def test_given_weights_win(server, home, tmp_path, kind, with_record):
    mine = tmp_path / "mine.h5"
    mine.write_bytes(b"mine")
    wanted = record(server.url) if with_record else None
    assert weights.resolve(provider(wanted), kind(mine)) == mine
    assert server.asked == []
    assert cached(home) == []


def test_given_weights_may_begin_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.h5").write_bytes(b"mine")
    assert weights.resolve(provider(None), "~/mine.h5") == tmp_path / "mine.h5"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.h5", "does not exist"),
        ("", "is a folder"),
        ("mine.h5/below", "does not exist"),
        ("x" * 5000, "weights file"),
    ],
)
def test_given_weights_that_are_no_file_are_refused(tmp_path, name, message):
    (tmp_path / "mine.h5").write_bytes(b"mine")
    with pytest.raises(WeightsError, match=message) as refused:
        weights.resolve(provider(None), tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)
    assert "tiny" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_given_weights_that_may_not_be_read_are_refused(tmp_path):
    (tmp_path / "mine.h5").write_bytes(b"mine")
    (tmp_path / "mine.h5").chmod(0)
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.resolve(provider(None), tmp_path / "mine.h5")


def test_the_state_of_weights(server):
    wanted = record(server.url)
    assert weights.state(provider(None)) == "ready"
    assert weights.state(provider(wanted)) == "to download"
    weights.fetch(wanted)
    assert weights.state(provider(wanted)) == "cached"
