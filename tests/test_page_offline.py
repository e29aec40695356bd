"""The exported page as a static site: under a sub-path, offline, and after a new build."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import tiny
from chromium import choose, wait_until_idle

import dreamkit
from dreamkit.engine.tf import network
from dreamkit.web import site

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

CACHES = "(async () => (await caches.keys()).filter((name) => name.startsWith('dreamkit ')))()"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    allow_reuse_port = True
    daemon_threads = True


@pytest.fixture
def port():
    """One that nothing else gets while no server has it."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@contextmanager
def any_server(folder, port):
    """A server that knows nothing of dreamkit."""
    with Server(("127.0.0.1", port), partial(Quiet, directory=str(folder))) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            running.shutdown()
            thread.join()


def export(folder, **options):
    models = [site.PageModel(network.load(tiny.provider(), None))]
    config = dreamkit.DreamConfig(octaves=1, max_size=192, **options)
    site.write(folder, models, config, keeps_offline=True, overwrite=folder.exists())


def wait_until(page, condition):
    """Waits for a condition in JavaScript that may use `await`."""
    page.evaluate(f"async () => {{ while (!({condition})) await new Promise(requestAnimationFrame); }}")


def wait_until_copied(page):
    page.wait_for_function("() => document.body.dataset.offline === 'ready'")


@pytest.fixture
def folder(exported, tmp_path):
    """A site in a sub-folder; `exported` skips the test where the page is not built."""
    (tmp_path / "user").mkdir()
    folder = tmp_path / "user" / "dreams"
    export(folder, steps=2)
    return folder


def test_the_page_works_offline_from_the_second_visit_on(open_page, folder, port):
    with any_server(folder.parents[1], port):
        address = f"http://127.0.0.1:{port}/user/dreams/"
        page = open_page(address=address)
        wait_until_copied(page)
    page.goto(address)  # nothing answers there now
    wait_until_idle(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    other = open_page(address=f"{address}index.html", context=page.context)
    assert other.title() == "dreamkit"


def test_a_new_build_replaces_the_old_one_at_once_also_offline(open_page, folder, port):
    with any_server(folder.parents[1], port):
        address = f"http://127.0.0.1:{port}/user/dreams/"
        page = open_page(address=address)
        wait_until_copied(page)
        (old,) = page.evaluate(CACHES)
    export(folder, steps=7)
    for path in folder.rglob("*"):  # as if it were made a minute later: servers compare times in seconds
        stat = path.stat()
        os.utime(path, (stat.st_atime + 60, stat.st_mtime + 60))
    with any_server(folder.parents[1], port):
        page.goto(address)
        wait_until_idle(page)
        assert page.input_value("#option-steps") == "7"
        wait_until(page, f"(await {CACHES}).length === 1 && !(await {CACHES}).includes('{old}')")
    page.goto(address)
    wait_until_idle(page)
    assert page.input_value("#option-steps") == "7"


def test_a_site_without_a_copy_deletes_that_of_another_at_its_address(open_page, folder, port):
    with any_server(folder.parents[1], port):
        address = f"http://127.0.0.1:{port}/user/dreams/"
        page = open_page(address=address)
        wait_until_copied(page)
        models = [site.PageModel(network.load(tiny.provider(), None))]
        site.write(folder, models, dreamkit.DreamConfig(steps=9), overwrite=True)
        page.goto(address)
        wait_until_idle(page)
        assert page.input_value("#option-steps") == "9"
        wait_until(page, f"(await {CACHES}).length === 0")
        wait_until(page, "(await navigator.serviceWorker.getRegistrations()).length === 0")


def test_the_page_can_be_installed(open_page, folder, port):
    with any_server(folder.parents[1], port):
        page = open_page(address=f"http://127.0.0.1:{port}/user/dreams/")
        session = page.context.new_cdp_session(page)
        errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
        assert {each["errorId"] for each in errors} <= {"in-incognito"}  # as all of these windows are
        found = session.send("Page.getAppManifest")
        assert found["errors"] == []
        assert found["url"].endswith("/user/dreams/manifest.webmanifest")
        sizes = page.evaluate(
            """async (url) => Promise.all((await (await fetch(url)).json()).icons.map(async ({ src }) => {
                const image = new Image();
                image.src = new URL(src, url);
                await image.decode();
                return image.naturalWidth;
            }))""",
            found["url"],
        )
        assert sizes[1:] == [192, 512, 512]
