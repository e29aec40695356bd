"""Readers under Atheris, which finds inputs that reach new lines of dreamkit's code.

    pip install -e '.[fuzz]'
    python tests/guided_fuzz.py prototxt -runs=100000

It begins with the right files of tests/test_fuzz.py. Everything after the reader's name is for libFuzzer.
What is neither read nor refused in one line ends the run with its traceback and the input.
"""

from __future__ import annotations

import io
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dreamkit"]):
    import test_fuzz
    from caffemodel import caffemodel
    from test_architecture import OPERATIONS
    from test_caffe import CONV, EVERYTHING, WEIGHTS
    from test_inception5h import RIGHT

    from dreamkit import recipes
    from dreamkit.convert.caffe import prototxt, reader
    from dreamkit.errors import DreamkitError
    from dreamkit.media import image_metadata, xmp
    from dreamkit.models import architecture, converted, graphdef

SCRATCH = Path(tempfile.mkdtemp(prefix="guided-fuzz-"))


def _file(name: str, data: bytes) -> Path:
    path = SCRATCH / name
    path.write_bytes(data)
    return path


def read_prototxt(data: bytes) -> None:
    prototxt.read_prototxt(_file("net.prototxt", data))


def read_caffemodel(data: bytes) -> None:
    reader.read_net(_file("net.prototxt", CONV.encode()), _file("net.caffemodel", data))


def read_recipe(data: bytes) -> None:
    found = recipes.find(str(_file("it.toml", data)))
    found.config()
    found.to_toml()


def read_xmp(data: bytes) -> None:
    xmp.parse(data)


def read_picture(data: bytes) -> None:
    image_metadata.recipe_in(io.BytesIO(data), "it.png")


def read_architecture(data: bytes) -> None:
    try:
        architecture.from_json(data.decode("utf-8", "replace"))
    except ValueError as error:
        raise DreamkitError(str(error)) from error


def read_graph(data: bytes) -> None:
    graphdef.read(data, "it.pb")


def read_record(data: bytes) -> None:
    _file(converted.RECORD, data)
    converted.provider(SCRATCH)


# Each reader, and files that it reads.
READERS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "prototxt": (read_prototxt, [CONV.encode(), EVERYTHING.encode()]),
    "caffemodel": (read_caffemodel, [caffemodel(WEIGHTS, form=form, v1=0) for form in ("packed", "legacy")]),
    "recipe": (read_recipe, test_fuzz.TOML),
    "xmp": (read_xmp, [xmp.packet({"artist": "Anna", "recipe": '{"dreamkit": "1"}'})]),
    "picture": (read_picture, test_fuzz.pictures()),
    "architecture": (read_architecture, [architecture.to_json(OPERATIONS).encode()]),
    "graph": (read_graph, [RIGHT]),
    "record": (read_record, [test_fuzz.MODEL]),
}


def main() -> None:
    read, seeds = READERS[sys.argv.pop(1)]
    corpus = SCRATCH / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        read(seed)
        (corpus / str(number)).write_bytes(seed)

    def once(data: bytes) -> None:
        try:
            read(data)
        except DreamkitError as error:
            if len(str(error).splitlines()) != 1:
                raise AssertionError(f"not one line: {error}") from error

    warnings.simplefilter("ignore")
    atheris.Setup([*sys.argv, str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
