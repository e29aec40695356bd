"""The records that a model plugin returns. They are immutable and cheap: creating one loads nothing."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dreamkit.names import is_name

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Preprocess:
    """How pixels become a network's input: `(pixel - mean) * scale`, channels in `order`.

    Pixels are RGB, 0 to 255, shape `(..., 3)`; `mean` and `scale` are in the network's own `order`. It is a
    function of NumPy arrays and TensorFlow tensors, and gradients pass through it.

    Raises:
        ValueError: the order is unknown, or the mean or scale is not three finite numbers.
    """

    order: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.order not in ("RGB", "BGR"):
            raise ValueError(f"order is {self.order!r}; it is RGB or BGR")
        for name in ("mean", "scale"):
            given = getattr(self, name)
            try:
                values = tuple(float(value) for value in given)
            except (TypeError, ValueError):
                values = ()
            if len(values) != 3 or not all(map(math.isfinite, values)):
                raise ValueError(f"{name} is {given!r}; it takes three finite numbers")
            object.__setattr__(self, name, values)

    def __call__(self, pixels: Any) -> Any:
        ordered = pixels[..., ::-1] if self.order == "BGR" else pixels
        centred = ordered - self.mean
        return centred if set(self.scale) == {1.0} else centred * self.scale


@dataclass(frozen=True, kw_only=True)
class SavedModel:
    """A TensorFlow SavedModel on disk.

    Attributes:
        path: the folder that holds `saved_model.pb`.
        outputs: the output key of the signature for each layer, by the name that users type.
        signature: the signature to call; it takes one float32 batch of pictures `(n, height, width, 3)`.
        min_sizes: the shortest side in pixels, for layers that need more than the provider's `min_size`.
        digest: SHA-256 of the files that its weights came from; if empty, the folder's files are hashed.
        is_trusted: whether its graph may do more than compute, such as read files.
    """

    path: Path
    outputs: Mapping[str, str]
    signature: str = "serving_default"
    min_sizes: Mapping[str, int] = field(default_factory=dict)
    digest: str = ""
    is_trusted: bool = True


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A weights file that dreamkit downloads once, verifies and keeps in the user's cache.

    Attributes:
        url: http or https.
        hash: `sha256:...` or `md5:...` of the file.
        file_name: its name in the cache; its extension tells Keras the format.
        licence: the terms, as the source states them.
        megabytes: about how large it is, in millions of bytes; 0 if that is not known.

    Raises:
        ValueError: a field is not of this form.
    """

    url: str
    hash: str
    file_name: str
    licence: str = ""
    megabytes: int = 0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(md5:[0-9a-f]{32})|(sha256:[0-9a-f]{64})", self.hash):
            raise ValueError(f"hash is {self.hash!r}; it is md5: or sha256: and lower-case hex digits")
        if not is_name(self.file_name):
            raise ValueError(f"file_name is {self.file_name!r}; it is a plain file name")
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url is {self.url!r}; it begins with https://")


@dataclass(frozen=True, kw_only=True)
class TextTower:
    """How a network of pictures gets a text's embedding, to be compared with a picture's, as CLIP does.

    Attributes:
        layer: the layer of the picture's embedding, which has one position.
        digest: SHA-256 of the network's weights, as the network has it once it is loaded.
        embed: the function from a text to its embedding, float32 `(channels,)`, of length one.
    """

    layer: str
    digest: str
    embed: Callable[[str], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class ModelProvider:
    """A model to dream with. Creating it is cheap: nothing is loaded before `load` is called.

    Attributes:
        name: what `--model` takes: letters, digits, `.`, `_`, `-`.
        load: a function of the weights file. It returns a functional Keras model, or a `SavedModel`;
            without a classifier that would fix the picture's size. Without a file, its argument is None, and
            the network's architecture is enough: `dreamkit layers` calls it so.
        preprocess: from RGB pixels 0 to 255, float32 `(n, height, width, 3)`, to the network's input: a
            `Preprocess` if that can express it, else any differentiable function of a tensor.
        layers: the layers that are dreamed by default, with their weights.
        guide_layers: those that are dreamed by default with a guide; if empty, the one at a quarter of the
            depth.
        concept_layers: those that concepts are dreamed in by default; if empty, the layer that tells a
            concept's pictures apart best.
        weights: the file to download, or the path of a file in the plugin; None if `load` needs no file.
        min_size: the shortest side that the network accepts, in pixels.
        description: one line for `dreamkit models`.
        licence: the terms of the network.
        head: the layer of class scores, if there is one: `--class` dreams a channel of it. It must be the
            layer before a softmax, whose gradient would vanish.
        labels: the names of the classes, in the order of the head's channels; empty if unknown.
        same_layers_as: the model that has the same layers, channel for channel. Its recipes suit this one.
        main_layers: the layers worth choosing, from the picture inwards. Messages about other networks use
            them to say that this one has such a layer, without loading it.
        setup: the command that makes the model ready, if the user must still run one. Messages show it, and
            `load` is not called.
        text: how it understands texts; None if it does not.

    Raises:
        ValueError: a field is wrong; the message names the provider and the field.
    """

    name: str
    load: Callable[[Path | None], keras.Model | SavedModel]
    preprocess: Preprocess | Callable[[Any], Any]
    layers: Mapping[str, float]
    weights: Weights | Path | None = None
    guide_layers: Mapping[str, float] = field(default_factory=dict)
    concept_layers: Sequence[str] = ()
    min_size: int = 1
    description: str = ""
    licence: str = ""
    head: str = ""
    labels: Sequence[str] = ()
    same_layers_as: str = ""
    main_layers: Sequence[str] = ()
    setup: str = ""
    text: TextTower | None = None

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(f"provider name {self.name!r}: letters, digits, '.', '_' and '-' only")
        if not callable(self.load):
            raise ValueError(f"provider {self.name}: load is {self.load!r}; it is a function")
        if not callable(self.preprocess):
            raise ValueError(f"provider {self.name}: preprocess is {self.preprocess!r}; use Preprocess(...)")
        if not isinstance(self.layers, Mapping) or not all(
            isinstance(layer, str) and isinstance(weight, numbers.Real) and math.isfinite(weight)
            for layer, weight in self.layers.items()
        ):
            raise ValueError(f"provider {self.name}: layers is {self.layers!r}; it maps names to weights")
        if self.weights is not None and not isinstance(self.weights, Weights | Path):
            raise ValueError(
                f"provider {self.name}: weights is {self.weights!r}; use Weights(...), a Path or None"
            )
        if not isinstance(self.min_size, int) or isinstance(self.min_size, bool) or self.min_size < 1:
            raise ValueError(f"provider {self.name}: min_size is {self.min_size!r}; it is at least 1 pixel")
        if isinstance(self.labels, str) or not all(isinstance(label, str) for label in self.labels):
            raise ValueError(f"provider {self.name}: labels is {self.labels!r:.60}; it is a list of names")
        if isinstance(self.main_layers, str) or not all(isinstance(layer, str) for layer in self.main_layers):
            raise ValueError(
                f"provider {self.name}: main_layers is {self.main_layers!r:.60}; it is a list of layers"
            )
