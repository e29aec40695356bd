"""TensorFlow is imported in part where a compiled step needs no more, and nothing else changes by it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

PICTURE = ROOT / "docs" / "pictures" / "coffee.jpg"
BEGIN = """
import sys
from dreamkit.engine import process, tensorflow_import
process.own()
"""
TRACED = f"{BEGIN}\nfrom dreamkit.engine.tf import packaged_steps\npackaged_steps.of = lambda *_: None"
WHOLE = "type(sys.modules['tensorflow']).__name__ == 'module'"


def python(code):
    """What another process prints last."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_a_kept_or_packaged_step_needs_a_part_and_dreams_the_same_bytes(tmp_path, monkeypatch):
    def dream(name, home, before=""):
        monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path / home))  # in which no step is kept at first
        arguments = ["dreamkit", "dream", str(PICTURE), "-q", "--max-size", "96", "--octaves", "2"]
        arguments += ["--steps", "2", "-o", str(tmp_path / name)]
        code = f"""
import sys
{before}
from dreamkit.__main__ import main
sys.argv = {arguments!r}
try:
    main()
finally:
    print({WHOLE}, "keras" in sys.modules)
"""
        return python(code), np.asarray(Image.open(tmp_path / name))

    packaged, kept = dream("packaged.png", "home"), dream("kept.png", "home")
    whole = dream("whole.png", "home", "import tensorflow")
    traced = dream("traced.png", "another", TRACED)
    kept_traced = dream("kept-traced.png", "another", TRACED)
    dreams = packaged, kept, kept_traced, whole, traced
    assert [state for state, _ in dreams] == [*["False False"] * 3, *["True True"] * 2]
    for _, pixels in dreams[1:]:
        np.testing.assert_array_equal(pixels, packaged[1])


USES = [
    "import tensorflow as tf; assert tf.reduce_sum([1, 2]).numpy() == 3",
    "import tensorflow.keras.layers as layers; assert layers.Dense(2)",
    "import tensorflow.compat.v1 as tf1; assert tf1.Session",
]
MORE_USES = [
    "from tensorflow import reduce_sum; assert reduce_sum([1, 2]).numpy() == 3",
    "import tensorflow as tf; assert tf.__version__",
    "from tensorflow.keras.applications import vgg16; assert vgg16.VGG16",
    "import keras; assert keras.Sequential([keras.layers.Dense(2)])",
]


@pytest.mark.parametrize("use", [*USES, *(pytest.param(use, marks=pytest.mark.heavy) for use in MORE_USES)])
def test_the_rest_comes_when_it_is_used(use):
    code = f"{BEGIN}\ntensorflow_import.import_tensorflow()\nassert not {WHOLE}\n{use}\nprint({WHOLE})"
    assert python(code) == "True"


@pytest.mark.heavy
def test_what_the_whole_does_not_have_is_an_error():
    code = f"""{BEGIN}
tensorflow_import.import_tensorflow()
import tensorflow as tf
try:
    tf.no_such_name
except AttributeError as error:
    print(error)
"""
    assert python(code) == "module 'tensorflow' has no attribute 'no_such_name'"


@pytest.mark.heavy
@pytest.mark.parametrize(
    "change",
    [
        "tensorflow_import._PARTS += ('tensorflow.python.no_such_part',)",
        "import os; os.environ['TF_PLUGGABLE_DEVICE_LIBRARY_PATH'] = ''",
        "process._is_own = False",
    ],
)
def test_all_is_imported_where_a_part_is_not_enough(change):
    code = f"{BEGIN}\n{change}\ntensorflow_import.import_tensorflow()\nimport tensorflow as tf\n"
    assert python(f"{code}assert tf.reduce_sum([1, 2]).numpy() == 3\nprint({WHOLE})") == "True"
