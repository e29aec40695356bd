"""Files of Keras models, `.keras` and HDF5, read without running code from them."""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from dreamkit.convert import keras_hdf5
from dreamkit.convert.files import link_or_copy, refuse_other_kinds
from dreamkit.errors import ConvertError, first_line

MAX_BYTES = 8 << 30  # of the unpacked file


def check_file(file: Path) -> None:
    """Refuses a file that is neither in the `.keras` format nor in HDF5. The child process reads the latter.

    Raises:
        ConvertError: it cannot be read, has another format or unpacks to more than any network needs.
    """
    refuse_other_kinds(file, ("keras", "hdf5"), "a model that Keras saved: NAME.keras or NAME.h5")
    if os.path.exists(file) and not os.path.isfile(file):
        raise ConvertError(f"cannot read {file}: it is not a regular file; give a .keras or .h5 file")
    if keras_hdf5.is_hdf5(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            sizes = {each.filename: each.file_size for each in archive.infolist()}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ConvertError(
            f"cannot read {file} as a .keras file ({getattr(error, 'strerror', None) or first_line(error)}); "
            "give a model that Keras saved: NAME.keras or NAME.h5"
        ) from error
    if "config.json" not in sizes or "model.weights.h5" not in sizes:
        raise ConvertError(
            f"{file} is not a .keras file; save the model with model.save('NAME.keras') of Keras 3"
        )
    if sum(sizes.values()) > MAX_BYTES:
        raise ConvertError(
            f"{file} unpacks to {sum(sizes.values()) >> 20} MB; more than "
            f"{MAX_BYTES >> 20} MB cannot be converted"
        )


def load(file: str) -> Any:
    """The functional or sequential model in `file`: one of Keras 3, or one of tf_keras.

    Raises:
        ConvertError: it cannot be read, is code or is of another kind.
    """
    try:
        if keras_hdf5.is_hdf5(Path(file)):
            model = _load_hdf5(file)
        else:
            import keras

            model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except ConvertError:
        raise
    # Keras passes on the errors of the layer that it cannot create.
    except Exception as error:
        raise ConvertError(
            f"{file} cannot be read ({first_line(error).split('. ')[0][:150]}); custom layers and Lambda "
            "layers are code, which is not run: write a plugin for such a model"
        ) from error
    if not hasattr(model, "layers"):
        raise ConvertError(
            f"{file} holds a {type(model).__name__}; give a functional or sequential Keras model"
        )
    if not getattr(model, "inputs", None):
        raise ConvertError(f"{file} is not a functional or sequential model; give such a model")
    return model


def _load_hdf5(file: str) -> Any:
    description = keras_hdf5.read(file, MAX_BYTES)
    if not description.is_keras_3:
        return keras_hdf5.load(file, description)
    import keras

    keras_hdf5.check_layers(file, description.config, keras.layers)
    with tempfile.TemporaryDirectory() as folder:
        named = os.path.join(folder, "model.h5")  # Keras reads the format from the name
        link_or_copy(file, named)
        return keras.saving.load_model(named, compile=False, safe_mode=True)


def framework(model: Any) -> tuple[str, type[Any]]:
    """The name and version of the Keras that a model belongs to, and the class of all its operations."""
    import keras

    if isinstance(model, keras.Model):
        return f"Keras {keras.__version__}", keras.Operation
    import tf_keras

    return f"tf_keras {tf_keras.__version__}", tf_keras.layers.Layer
