"""Every reader of files that others made, with files that are nearly right: read, or refused in one line.

FUZZ=100000 pytest -m heavy tests/test_fuzz.py -s is ten times as many.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import skip_without_converter
from faults import mutated
from PIL import Image

from dreamkit import api, recipes
from dreamkit.config import DreamConfig
from dreamkit.errors import DreamkitError, DreamkitWarning, first_line
from dreamkit.jobs import batch
from dreamkit.jobs.checkpoint import Checkpoint, CheckpointError
from dreamkit.media import image_metadata, images, storage, xmp
from dreamkit.models import architecture, converted, graphdef, inception5h
from dreamkit.request import DreamRequest, make_request
from dreamkit.session import Session

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(3000)]

INPUTS = int(os.environ.get("FUZZ", "10000"))
PATIENCE = 20  # seconds after which an input has hung the reader
MOST_PIXELS = 1 << 20
MORE = 256 << 20  # bytes that no nearly right file may take


NUMBERS = [b"9" * 5000, b"\xff" * 9, b"-1", b"1e999", b"null", b"[]", b"{}", b'""', b"\0\0\0\0", b"NaN"]
TEXTS = [b"{", b"[", b'"', b".a", b"[[", b"\n", b"\xed\xa0\x80"]


@contextmanager
def patience():
    """Nothing may hang."""

    def over(*_):
        raise TimeoutError(f"an input was read for {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def most_memory():
    resource = pytest.importorskip("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def fuzz(name, seeds, read, *, sealed=False):
    """Reads INPUTS changed seeds. What is neither read nor refused in one line goes up as it is.

    What is `sealed` by a checksum is read at most where that does not look.
    """
    draw = random.Random(0)
    for seed in seeds:
        read(seed)  # as they are, they are right
    before = most_memory()
    well, refused, lines = 0, 0, set()
    for _ in range(INPUTS):
        data = mutated(draw.choice(seeds), draw, NUMBERS, TEXTS)
        with patience(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DreamkitWarning)
            try:
                read(data)
                well += 1
            except DreamkitError as error:
                lines.add(len(str(error).splitlines()))
                refused += 1
    print(f"\n{name}: {INPUTS} inputs, {well} read, {refused} refused")
    assert well or sealed
    assert lines == {1}
    assert most_memory() - before < MORE


def pictures():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 17, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    recipe = json.dumps({"dreamkit": "1"})
    exif[0x010E] = recipe
    made = []
    for kind, mode, options in (
        ("PNG", "RGB", {}),
        ("PNG", "P", {"transparency": 3}),
        ("PNG", "LA", {}),
        ("JPEG", "RGB", {"exif": exif}),
        ("JPEG", "RGB", {"extra": xmp.jpeg_segments({"artist": "Anna", "recipe": recipe})}),
        ("JPEG", "RGB", {"extra": xmp.jpeg_segments({"recipe": recipe + " " * 70_000})}),
        ("JPEG", "CMYK", {}),
        ("WEBP", "RGBA", {"exif": exif}),
        ("WEBP", "RGB", {"xmp": xmp.packet({"description": "A bear", "recipe": recipe})}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "I;16", {}),
        ("GIF", "P", {}),
        ("BMP", "RGB", {}),
        ("PPM", "RGB", {}),
        ("TGA", "RGBA", {}),
        ("JPEG2000", "RGB", {}),
    ):
        image = (
            Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
            if mode == "I;16"
            else Image.fromarray(pixels).convert(mode)
        )
        file = io.BytesIO()
        image.save(file, format=kind, **options)
        made.append(file.getvalue())
    return made


def test_pictures():
    def read(data):
        picture = images.from_bytes(data, "it.png", MOST_PIXELS)
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.shape[0] * picture.pixels.shape[1] <= MOST_PIXELS
        image_metadata.recipe_in(io.BytesIO(data), "it.png")

    fuzz("pictures", pictures(), read)


@pytest.fixture(scope="module")
def dreamed(tmp_path_factory):
    """The JSON of a dream's recipe, with a guide and a mask in it."""
    path = tmp_path_factory.mktemp("dream") / "dream.png"
    photo = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    mask = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    api.render(photo, "pocket", layers="conv2d1", octaves=1, steps=1, guide=photo, mask=mask).save(path)
    return json.dumps(image_metadata.read_recipe(path)).encode()


def test_recipes_in_pictures(dreamed, tmp_path):
    from PIL import PngImagePlugin

    path = tmp_path / "it.png"
    pixel = Image.new("RGB", (1, 1))

    def read(data):
        text = PngImagePlugin.PngInfo()
        text.add_itxt("dreamkit", data.decode("utf-8", "replace"))
        pixel.save(path, pnginfo=text)
        found = recipes.from_picture(path)
        found.config()
        found.to_toml()

    fuzz("recipes in pictures", [dreamed], read)


TOML = [
    b'description = "one"\nmodel = "pocket"\nlayers = ["mixed3a=0.5", "mixed4c:3"]\nsteps = 3\n'
    b"unit = [1, 2, 3.5]\n",
    b'layers = [{layer = "mixed4c", channels = [3], weight = -1, mask = "sky.png"}]\nguide = "cat.png"\n'
    b'mask = "mask.png"\n[[schedule]]\nsteps = 2\n[[schedule]]\nlayers = "mixed3b"\n',
    b'[[models]]\nname = "pocket"\nweight = 0.5\n[[models]]\nname = "vgg16"\nlayers = ["high"]\n'
    b'[[timeline]]\nat = 0.5\nease = "smooth"\nstep_size = 0.02\n[[timeline]]\nat = "2.5s"\n'
    b"camera = {zoom = 1.1, rotate = -3, center = [0.2, 0.5]}\n",
]


def test_recipes_in_toml(tmp_path):
    path = tmp_path / "it.toml"

    def read(data):
        path.write_bytes(data)
        found = recipes.find(str(path))
        found.config()
        found.to_toml()

    fuzz("recipes in TOML", TOML, read)


MODEL = json.dumps(
    {
        "format": converted.FORMAT,
        "blobs": {"a/b": {"min_size": 8, "channels": 3}, "c": {"min_size": 16, "channels": 4}},
        "sources": {"net.prototxt": "0" * 64, "net.caffemodel": "1" * 64},
        "files": {"saved_model.pb": "2" * 64},
        "preprocess": {"order": "BGR", "mean": [104.0, 117.0, 123.0], "scale": [1.0, 1.0, 1.0]},
        "layers": {"a/b": 1.0},
        "min_size": 16,
        "description": "a network",
        "licence": "BSD",
        "head": "c",
        "labels": ["one", "two"],
    }
).encode()


def test_records_of_converted_models(tmp_path):
    def read(data):
        (tmp_path / converted.RECORD).write_bytes(data)
        converted.provider(tmp_path)

    fuzz("model.json", [MODEL], read)


def test_prototxt_and_caffemodel(tmp_path):
    skip_without_converter()
    from caffemodel import caffemodel
    from test_caffe import CONV, EVERYTHING, WEIGHTS

    from dreamkit.convert.caffe.reader import read_net

    text_file, model_file = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    right = caffemodel(WEIGHTS, form="packed", v1=0)

    def read(text, model):
        text_file.write_bytes(text)
        model_file.write_bytes(model)
        read_net(text_file, model_file)

    fuzz("prototxt", [CONV.encode(), EVERYTHING.encode()], lambda data: read(data, right))
    models = [
        caffemodel(WEIGHTS, form=form, v1=v1) for form in ("packed", "unpacked", "legacy") for v1 in (0, 1)
    ]
    fuzz("caffemodel", models, lambda data: read(CONV.encode(), data))


def test_graphs_of_tensorflow(tmp_path):
    from test_inception5h import RIGHT, archive

    path = tmp_path / "it.zip"

    def read(data):
        path.write_bytes(data)
        operations, arrays = graphdef.read(inception5h.graph(path), "it.zip")
        assert all(np.isfinite(array).all() for array in arrays.values())
        assert architecture.from_json(architecture.to_json(operations)) == operations

    fuzz("graphs", [RIGHT], read)
    fuzz("archives of graphs", [archive(RIGHT)], read)


def test_networks_as_data(tmp_path):
    from test_architecture import OPERATIONS, arrays

    path = tmp_path / "it.npz"
    architecture.write(path, OPERATIONS, arrays(), coarse=["last"])

    def read(data):
        path.write_bytes(data)
        try:
            architecture.read(path)
        except (ValueError, OSError) as error:  # which `--weights` quotes in its line
            raise DreamkitError(first_line(error)) from error

    fuzz("networks as data", [path.read_bytes()], read)


def test_work_files(tmp_path):
    kept = Checkpoint(tmp_path / "dream.png", 10_000, every=0)
    photo = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    session = Session(make_request(photo, "pocket", octaves=1, steps=1))
    session.run(on_step=kept.after_each(), start=kept.begin(session.fingerprint(), {}))
    right = kept.path.read_bytes()
    identity = json.loads(np.load(io.BytesIO(right))["about"].tobytes())["identity"]

    def read(data):
        kept.path.write_bytes(data)
        if Checkpoint(tmp_path / "dream.png", 10_000, resume=True).begin(identity, {}) is None:
            raise CheckpointError("it is gone")

    fuzz("work files", [right], read, sealed=True)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".avi", ".mpg"])
def test_films(tmp_path, suffix):
    av = pytest.importorskip("av")
    from dreamkit.media import video

    path = tmp_path / f"it{suffix}"
    codecs = {".mp4": "libx264", ".webm": "libvpx-vp9", ".gif": "gif", ".avi": "mjpeg", ".mpg": "mpeg2video"}
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codecs[suffix], rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, {".gif": "rgb8"}.get(suffix, "yuv420p")
        if suffix == ".avi":
            stream.pix_fmt = "yuvj420p"
        for number in range(3):
            pixels = np.random.default_rng(number).integers(0, 256, (32, 48, 3), np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(stream.encode(None))

    def read(data):
        path.write_bytes(data)
        clip = video.read(path)
        assert clip.size[0] * clip.size[1] <= MOST_PIXELS, clip.size
        for frame in clip.frames():
            assert frame.pixels.shape == (*clip.size, 3)

    fuzz(f"films, {suffix}", [path.read_bytes()], read)


def test_kept_steps():
    import tensorflow as tf
    import tiny

    from dreamkit.engine.tf import compiled_step

    kernel = np.random.default_rng(0).standard_normal((3, 3, 3, 4)).astype(np.float32)
    specs = [compiled_step.ObjectiveSpec("it", tiny.objective("mean-square"), channel_weights=True)]
    step = compiled_step.build_step(
        lambda pixels: [tf.nn.relu(tf.nn.conv2d(pixels, kernel, 2, "SAME"))], ["it"], specs, 1
    )
    right = compiled_step.function_def(step).SerializeToString()

    def read(data):
        if not compiled_step.is_step(data):
            raise DreamkitError("it is made again")

    fuzz("kept steps", [right], read)


def test_files_of_the_cache(tmp_path):
    """They are signed: nothing is read that was changed."""
    from dreamkit.engine.tf.compiled_cache import CompiledCache

    cache = CompiledCache(tmp_path, "it")
    cache.put("a", b"1234" * 100)
    (path,) = tmp_path.glob("*.kept")
    right = path.read_bytes()

    def read(data):
        path.write_bytes(data)
        found = cache.get("a")
        assert found in (None, b"1234" * 100)
        if found is None:
            raise DreamkitError("it is made again")

    fuzz("files of the cache", [right], read, sealed=True)


def test_plain_data_in_the_cache(tmp_path):
    from dreamkit.engine.tf.compiled_cache import CompiledCache
    from dreamkit.engine.tf.model_info import ModelInfo

    cache = CompiledCache(tmp_path, "it")
    info = ModelInfo({"a": 3, "b": 4}, "0" * 64, True, {"b": 8})

    def read(data):
        cache.put("info", data)
        if cache.get_plain("info", ModelInfo.from_plain) is None:
            raise DreamkitError("it is made again")

    fuzz("plain data in the cache", [json.dumps(info._asdict()).encode()], read)


READERS = ("prototxt", "caffemodel", "recipe", "xmp", "picture", "architecture", "graph", "record")


@pytest.mark.long
@pytest.mark.parametrize("reader", READERS)
def test_inputs_that_reach_new_lines(tmp_path, reader):
    pytest.importorskip("atheris")
    command = [sys.executable, Path(__file__).with_name("guided_fuzz.py"), reader]
    run = subprocess.run(
        [*command, f"-runs={INPUTS}", "-seed=1", "-max_len=6000", f"-timeout={PATIENCE}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "DONE" in run.stderr


def test_manifests(tmp_path):
    place = storage.open_store(str(tmp_path))
    photo = tmp_path / "it.png"
    photo.write_bytes(pictures()[0])
    request = batch.BatchRequest("", DreamRequest((), DreamConfig()), digest="d")
    jobs = batch.list_jobs([batch.Input(str(photo), "it.png")], [request], ".tiff")
    right = (json.dumps(["it.tiff", "0" * 64, "d", 7, 1, 2, "it.png"]) + "\n").encode() * 3
    known = []

    def read(data):
        place.write(f"{batch.FOLDER}/manifest-0.jsonl", data)
        known.append(len(batch.Batch(jobs, [request], place).missing))
        if len(known) == 2:  # no manifest is refused: it costs its own lines alone
            raise DreamkitError("counted as refused")

    fuzz("manifests", [right], read)
    assert set(known) == {1}
