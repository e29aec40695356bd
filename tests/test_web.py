"""The files of the page and its server, without a browser."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import tiny
import web_parity
from PIL import Image

from dreamkit import DreamConfig, ModelProvider, Preprocess
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError, LayerError, ModelError, OutputExistsError
from dreamkit.web import network_files, server, site

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tiny_network():
    return network.load(tiny.provider(), None)


def _numbers(texts):
    parts = [texts] if isinstance(texts, str) else texts
    return np.concatenate([np.frombuffer(base64.b64decode(each), "<f4") for each in parts])


@pytest.mark.heavy
def test_python_still_computes_the_file_of_cases():
    """Pixels may differ by one, because the order of sums depends on the processor."""
    known = json.loads(web_parity.PATH.read_text())
    now = json.loads(json.dumps(web_parity.cases()))
    for found, expected in zip(now["dreams"], known["dreams"], strict=True):
        pixels = [web_parity.dreamed(each.pop("change")).astype(int) for each in (found, expected)]
        assert np.abs(pixels[0] - pixels[1]).max() <= 1
        assert found.pop("objectives") == pytest.approx(expected.pop("objectives"), rel=1e-3)
        assert found == expected
    for found, expected in zip(now["grown"], known["grown"], strict=True):
        pixels = [web_parity.dreamed(each.pop("change")).astype(int) for each in (found, expected)]
        assert np.abs(pixels[0] - pixels[1]).max() <= 1
        assert found == expected
    concepts = [each["concept"] for each in (now, known)]
    for name in ("features", "direction"):
        one, other = (_numbers(each.pop(name)) for each in concepts)
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert concepts[0].pop("separation") == pytest.approx(concepts[1].pop("separation"), abs=1e-3)
    assert concepts[0]["pictures"] == concepts[1]["pictures"]
    for name, each in now["networks"].items():
        for part in ("operations", "layers"):
            assert each["description"][part] == known["networks"][name]["description"][part], (name, part)
    for part in known.keys() - {"networks", "dreams", "grown", "concept", "softened", "blurred"}:
        assert now[part] == known[part], part


def test_a_model_is_complete_in_small_shards(tiny_network, tmp_path, monkeypatch):
    monkeypatch.setattr(network_files, "_SHARD_BYTES", 300)
    size = network_files.write(tiny_network, ["first", "second"], tmp_path, "float32")
    description = json.loads((tmp_path / "model.json").read_text())
    data = b"".join((tmp_path / shard["path"]).read_bytes() for shard in description["shards"])
    assert len(data) == size == sum(shard["bytes"] for shard in description["shards"])
    assert max(shard["bytes"] for shard in description["shards"]) == 300
    counts = [
        int(np.prod(each["shape"])) * (2 if each["dtype"] == "float16" else 4)
        for each in description["weights"]
    ]
    assert sum(counts) == size
    k = tiny.kernels()
    kernel = description["operations"][[each["kind"] for each in description["operations"]].index("conv2d")][
        "constants"
    ]["kernel"]
    start = sum(counts[:kernel])
    found = np.frombuffer(data[start : start + counts[kernel]], np.float32)
    np.testing.assert_allclose(found, k.first.ravel().astype(np.float32), rtol=1e-6)
    assert description["default_layers"] == {"second": 1.0}
    assert [(each["name"], each["channels"]) for each in description["layers"]] == [
        ("first", 4),
        ("second", 5),
    ]


def test_half_precision_halves_a_model(tiny_network, tmp_path):
    sizes = []
    for dtype in ("float32", "float16"):
        folder = tmp_path / dtype
        folder.mkdir()
        sizes.append(network_files.write(tiny_network, ["second"], folder, dtype))
    assert sizes[1] < 0.52 * sizes[0]


def provider_of(build):
    def load(_):
        import keras

        pixels = keras.Input((None, None, 3))
        return keras.Model(pixels, keras.layers.Activation("linear", name="end")(build(keras, pixels)))

    return ModelProvider(name="odd", load=load, preprocess=Preprocess(), layers={})


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda keras, x: keras.layers.UpSampling2D()(x), "ExpandDims"),
        (lambda keras, x: keras.layers.Softmax()(x), "Softmax"),
        (lambda keras, x: keras.layers.Conv2D(6, 3, groups=3)(x), "graph with functions|in groups"),
        (lambda keras, x: keras.layers.Conv2D(3, 3, dilation_rate=2)(x), "SpaceToBatchND"),
        (
            lambda keras, x: keras.layers.DepthwiseConv2D(3, depth_multiplier=2)(x),
            "2 kernels for each channel",
        ),
        (lambda keras, x: keras.layers.Permute((2, 1, 3))(x), "Transpose"),
        (lambda keras, x: keras.layers.Cropping2D(1)(x), "StridedSlice along an axis other than channels"),
    ],
)
def test_an_unsupported_operation_is_named(tmp_path, build, named):
    odd = network.load(provider_of(build), None)
    with pytest.raises(ModelError, match=f"odd cannot be exported: .*({named})"):
        network_files.write(odd, ["end"], tmp_path, "float32")


def test_a_site_has_the_page_its_networks_and_their_licences(tiny_network, built, tmp_path):
    folder = tmp_path / "site"
    config = DreamConfig(steps=7, seed=3)
    size = site.write(folder, [site.PageModel(tiny_network, ["second"])], config)
    content = json.loads((folder / "site.json").read_text())
    (entry,) = content["models"]
    assert entry["bytes"] == size
    assert content["options"] == config.to_dict()
    assert content["limits"]["steps"]["least"] == 1
    assert (folder / entry["path"]).is_file()
    assert tiny_network.digest in (folder / "models" / "tiny" / "LICENCE.txt").read_text()
    assert (folder / "assets" / "a.wasm").read_bytes() == b"\0asm"
    assert site.is_site(folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def _offline_copy(folder):
    """What the service worker of a site keeps."""
    line = re.search(r"^const SITE = (.*); //", (folder / "service-worker.js").read_text(), re.M)
    return json.loads(line[1])


def test_an_offline_copy_has_all_files_of_its_build(tiny_network, built, tmp_path):
    folder = tmp_path / "site"
    config = DreamConfig(layers="second")
    other = network.load(replace(tiny.provider(), name="other"), None)
    models = [site.PageModel(tiny_network), site.PageModel(other)]
    site.write(folder, models, config, keeps_offline=True)
    copy = _offline_copy(folder)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {*copy["files"], "service-worker.js", ".nojekyll"}
    for name in sorted(names & set(copy["files"]) - {"index.html"}):
        assert copy["files"][name] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert copy["later"]
    assert all(name.startswith("models/other/") for name in copy["later"])
    assert f'<meta name="build" content="{copy["build"]}" />' in (folder / "index.html").read_text()
    site.write(folder, models, config, keeps_offline=True, overwrite=True)
    assert _offline_copy(folder) == copy
    site.write(folder, models, DreamConfig(layers="second", steps=3), keeps_offline=True, overwrite=True)
    assert _offline_copy(folder)["build"] != copy["build"]
    site.write(folder, models, config, overwrite=True)
    assert not (folder / "service-worker.js").exists()


def test_only_a_site_is_replaced_and_only_with_overwrite(tiny_network, built, tmp_path):
    folder = tmp_path / "site"
    site.write(folder, [site.PageModel(tiny_network)], DreamConfig())
    with pytest.raises(OutputExistsError, match="site exists; choose another name or give --overwrite"):
        site.write(folder, [site.PageModel(tiny_network)], DreamConfig())
    site.write(folder, [site.PageModel(tiny_network)], DreamConfig(steps=3), overwrite=True)
    assert json.loads((folder / "site.json").read_text())["options"]["steps"] == 3
    own = tmp_path / "own"
    own.mkdir()
    (own / "novel.txt").write_text("years of work")
    with pytest.raises(OutputExistsError, match="own exists and is not an exported page"):
        site.write(own, [site.PageModel(tiny_network)], DreamConfig(), overwrite=True)
    assert (own / "novel.txt").read_text() == "years of work"
    with pytest.raises(site.SiteError, match="does not exist"):
        site.write(tmp_path / "no" / "site", [site.PageModel(tiny_network)], DreamConfig())


def test_a_site_that_fails_leaves_nothing(tiny_network, built, tmp_path):
    odd = network.load(provider_of(lambda keras, x: keras.layers.Softmax()(x)), None)
    folder = tmp_path / "site"
    with pytest.raises(ModelError):
        site.write(folder, [site.PageModel(tiny_network), site.PageModel(odd, ["end"])], DreamConfig())
    with pytest.raises(ModelError, match="tiny is given twice"):
        site.write(folder, [site.PageModel(tiny_network), site.PageModel(tiny_network)], DreamConfig())
    with pytest.raises(LayerError, match="no layer 'thrd'"):
        site.write(folder, [site.PageModel(tiny_network, ["thrd"])], DreamConfig())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "mixed"}, "precision is mixed, which a page cannot do; set it to float32"),
        ({"alpha": "importance"}, "alpha is importance, which a page cannot do; set it to photograph"),
        ({"views": 4}, "views is 4, which a page cannot do; set it to 1"),
        ({"crop": 0.5}, "crop is"),
        ({"hold": {"first": 1.0}}, "hold is"),
        ({"redirected_relu": 16}, "redirected_relu is 16, which a page cannot do; set it to 0"),
        ({"pooling": "smooth"}, "pooling is smooth, which a page cannot do; set it to max"),
        ({"start": "noise"}, "start is noise"),
        ({"objective": "caricature"}, "objective is caricature, which a page cannot do; set it to mean or"),
        ({"guide_style": "texture"}, "guide_style is texture, which a page cannot do; set it to match or"),
        ({"layers": "second:top3"}, "layers has a choice of channels by the photograph"),
        ({"seed": 2**60}, "a page takes 0 to"),
    ],
)
def test_an_unsupported_config_is_refused(tiny_network, built, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        site.write(tmp_path / "site", [site.PageModel(tiny_network)], DreamConfig(**options))


def test_layers_of_a_recipe_are_exported_by_their_exact_names(tiny_network, built, tmp_path):
    folder = tmp_path / "site"
    models = [site.PageModel(tiny_network)]
    config = DreamConfig(
        layers=["low=2,second:3+1", {"layer": "second", "channels": [0], "weight": -0.5}],
        schedule=[{"steps": 2}, {"layers": {"100%": 0.5}}],
    )
    site.write(folder, models, config)
    options = json.loads((folder / "site.json").read_text())["options"]
    low, last = tiny_network.at_depth(0.25), tiny_network.at_depth(1)
    assert options["layers"] == [f"{low}=2.0", "second:1+3", "second:0=-0.5"]
    assert options["schedule"] == [{"steps": 2}, {"layers": [f"{last}=0.5"]}]
    description = json.loads((folder / "models" / "tiny" / "model.json").read_text())
    assert {low, "second", last} <= {layer["name"] for layer in description["layers"]}
    with pytest.raises(ConfigError, match="the recipe dreams second, which --layers leaves out; add it"):
        site.write(
            tmp_path / "other", [site.PageModel(tiny_network, ["first"])], DreamConfig(layers="second")
        )
    assert not (tmp_path / "other").exists()


def test_terms_of_a_recipe_are_written_as_the_page_reads_them(tiny_network, built, tmp_path):
    direction = [1.0, 0.0, -2.0, 0.0, 0.5]
    config = DreamConfig(
        layers=[
            "second:1@3x2=0.5",
            {"class": "b", "weight": 2},
            {"layer": "low", "objective": "mean", "mask": "sky"},
            {"layer": "second", "direction": direction},
        ]
    )
    provider = tiny.provider(head="second", labels=("a", "b"))
    site.write(tmp_path / "site", [site.PageModel(network.load(provider, None))], config)
    low = tiny_network.at_depth(0.25)
    options = json.loads((tmp_path / "site" / "site.json").read_text())["options"]
    assert options["layers"] == [
        "second:1@3x2=0.5",
        {"layer": "second", "weight": 2.0, "channels": [1], "objective": "mean"},
        {"layer": low, "weight": 1.0, "objective": "mean", "mask": "sky"},
        {"layer": "second", "weight": 1.0, "direction": direction, "objective": "mean"},
    ]


@pytest.mark.parametrize(
    ("model", "layers", "schedule"),
    [
        ("", None, [{"layers": ["low"], "steps": 2}]),
        ('layers = "high:1=2"', ["high:1=2.0"], [{"steps": 2}]),
        ("weight = -0.5", ["low=-1.0", "high=-0.5"], [{"layers": ["low=-1.0"], "steps": 2}]),
        ('layers = "high=-2"\nweight = -1', ["high=2.0"], [{"steps": 2}]),
    ],
)
def test_layers_and_a_negative_weight_of_a_network_become_those_of_its_terms(
    run, built, tmp_path, model, layers, schedule
):
    entry = '[[schedule]]\nlayers = "low"\nsteps = 2\n'
    (tmp_path / "own.toml").write_text(f'[[models]]\nname = "tiny"\n{model}\n{entry}')
    code, _, err = run("export", "web", "-r", "own.toml", "-o", "site")
    assert code == 0, err
    options = json.loads((tmp_path / "site" / "site.json").read_text())["options"]
    assert (options["layers"], options["schedule"]) == (layers, schedule)


def test_networks_of_a_recipe_dream_together(run, second, built, tmp_path):
    (tmp_path / "own.toml").write_text(
        '[[models]]\nname = "tiny"\nlayers = "low"\n[[models]]\nname = "other"\nweight = -0.5\n'
    )
    code, _, err = run("export", "web", "-r", "own.toml", "-o", "site")
    assert code == 0, err
    content = json.loads((tmp_path / "site" / "site.json").read_text())
    found = [(each["weight"], each["layers"]) for each in content["together"]]
    assert found == [(1.0, ["low"]), (-0.5, ["edges"])]
    assert [each["path"] for each in content["together"]] == [each["path"] for each in content["models"]]


def test_the_guide_of_a_recipe_is_part_of_the_site(run, built, tmp_path):
    picture = web_parity.guide()
    Image.fromarray(picture).save(tmp_path / "stripes.png")
    (tmp_path / "own.toml").write_text('model = "tiny"\nguide = "stripes.png"\nguide_style = "channels"\n')
    code, _, err = run("export", "web", "-r", "own.toml", "-o", "site")
    assert code == 0, err
    content = json.loads((tmp_path / "site" / "site.json").read_text())
    assert content["options"]["layers"] == ["low"]  # the default of dreams with a guide
    with Image.open(tmp_path / "site" / content["guide"]) as image:
        assert np.array_equal(np.asarray(image), picture)


def test_masks_of_a_recipe_are_part_of_the_site(run, built, tmp_path):
    levels = np.arange(70 * 94, dtype=np.uint8).reshape(70, 94)
    Image.fromarray(levels).save(tmp_path / "sky.png")
    (tmp_path / "own.toml").write_text('model = "tiny"\nlayers = [{ layer = "high", mask = "sky.png" }]\n')
    code, _, err = run("export", "web", "-r", "own.toml", "-o", "site")
    assert code == 0, err
    content = json.loads((tmp_path / "site" / "site.json").read_text())
    assert content["masks"] == {"sky.png": "masks/0.png"}
    with Image.open(tmp_path / "site" / "masks" / "0.png") as image:
        assert np.array_equal(np.asarray(image), levels)


def test_default_layers_join_branches(tiny_network):
    assert network_files.default_layers(tiny_network) == ["first", "second"]
    pocket = network.load(*_pocket())
    assert network_files.default_layers(pocket) == ["mixed3a", "mixed3b", "mixed4a", "mixed4b", "mixed4c"]


def _pocket():
    from dreamkit.models import pocket

    provider, *_ = pocket.dreamkit_model_providers()
    return provider, pocket.WEIGHTS


@contextmanager
def serving(folder, **options):
    with server.Server(folder, 0, **options) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def served(tmp_path):
    folder = tmp_path / "site"
    (folder / "models").mkdir(parents=True)
    (folder / "index.html").write_text("page")
    (folder / "a.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "away").symlink_to(tmp_path)
    (folder / ".hidden").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    with serving(folder) as running:
        yield running


def request(running, path, host=None, method="GET"):
    connection = http.client.HTTPConnection(*running.server_address[:2])
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{running.server_address[1]}"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_the_server_serves_its_folder_with_types_and_a_policy(served):
    response, body = request(served, "/")
    assert (response.status, body) == (200, b"page")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert request(served, "/a.wasm")[0].headers["Content-Type"] == "application/wasm"
    assert request(served, "/", host="localhost:80")[0].status == 200
    assert request(served, "/", host="127.0.0.1")[0].status == 200
    assert request(served, "/index.html?a=1")[1] == b"page"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/models/", "/models", "/none",
        "/%00", "/%ff", "/link.txt", "/away/secret.txt",
        "/.hidden", "/.git/config", "//secret.txt", "/./index.html",
    ],
)  # fmt: skip
def test_the_server_serves_nothing_else(served, path):
    response, body = request(served, path)
    assert response.status == 404
    assert b"secret" not in body.replace(path.encode(), b"")


def test_the_server_refuses_other_hosts_and_writes(served):
    assert request(served, "/", host="evil.example")[0].status == 421
    assert request(served, "/", method="POST")[0].status == 501
    assert served.server_address[0] == "127.0.0.1"


def test_slow_clients_hold_no_more_than_their_share(tmp_path):
    """Who comes when all places are taken is hung up on; a place that is left is free again."""
    (tmp_path / "index.html").write_text("page")
    with serving(tmp_path, most_clients=2) as running:
        slow = [socket.create_connection(running.server_address[:2]) for _ in range(2)]
        for each in slow:
            each.sendall(b"GET / HTTP/1.1\r\n")
        with socket.create_connection(running.server_address[:2], timeout=60) as late:
            assert late.recv(1) == b""
        for each in slow:
            each.close()
        response = None
        while response is None:  # until the server has noticed
            with suppress(http.client.HTTPException, ConnectionError):
                response, _ = request(running, "/")
        assert response.status == 200
    assert server._Handler.timeout == server._PATIENCE


def test_a_port_in_use_is_reported(served):
    with pytest.raises(site.SiteError, match=r"cannot listen on port \d+ .*; choose another with --port"):
        server.Server(served.folder, served.server_address[1])


def test_on_windows_no_other_program_shares_the_port(tmp_path, monkeypatch):
    if not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # an option that can be looked at here stands for it
        monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)
    with server.Server(tmp_path, 0) as running:
        taken = running.socket
        assert taken.getsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE)
        assert not taken.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_a_page_that_is_not_built_is_reported(run, monkeypatch, tmp_path):
    monkeypatch.setattr(site.resources, "files", lambda package: tmp_path)
    for command in (["export", "web", "-o", "site"], ["serve", "--no-browser"]):
        code, _, err = run(*command)
        assert code == 1
        assert (
            err == "error: the page is not built; run `make web` in a copy of the repository (it needs npm)\n"
        )


def test_the_command_line_exports(run, built, tmp_path):
    code, out, _ = run("export", "web", "-m", "tiny", "-l", "low,high", "-o", "site", "--dtype", "float16")
    assert code == 0
    assert out.startswith("wrote site (tiny, ")
    content = json.loads((tmp_path / "site" / "site.json").read_text())
    assert [each["name"] for each in content["models"]] == ["tiny"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["export", "web"], 2, "--output"),
        (["export", "web", "-o", "site", "-m", "tony"], 1, "tiny"),
        (["export", "web", "-o", "site", "-m", "tiny", "-l", "hihg"], 1, "did you mean high?"),
        (["export", "web", "-o", "site", "-m", "tiny", "--dtype", "int8"], 1, "choose float32 or float16"),
        (["export", "web", "-o", "site", "-m", "tiny", "-r", "mixed.toml"], 1, "precision is mixed"),
        (["export", "web", "-o", "no/site", "-m", "tiny"], 1, "no does not exist"),
        (["serve", "."], 1, "is not an exported page"),
        (["serve", "site", "-m", "tiny"], 2, "give either the folder or options of the export"),
        (["serve", "-m", "tiny", "-m", "pocket", "-l", "first"], 2, "--layers is given for several networks"),
    ],
)
def test_errors_of_the_command_line_are_one_line(run, built, tmp_path, arguments, code, message):
    (tmp_path / "mixed.toml").write_text('model = "tiny"\nprecision = "mixed"\n')
    actual, _, err = run(*arguments)
    last = err.strip().splitlines()[-1]
    assert (actual, last.startswith("error: "), message in last) == (code, True, True), err


def test_serve_prints_its_address_and_ends_with_ctrl_c(built, tiny_plugin, tmp_path):
    (tmp_path / "index.html").write_text("page")
    (tmp_path / "site.json").write_text("{}")
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from dreamkit.cli import main; main()",
            "serve",
            str(tmp_path),
            "--port",
            "0",
            "--no-browser",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    line = process.stdout.readline()
    assert line.startswith("dreaming at http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
