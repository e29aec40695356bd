"""What a network takes, made from RGB pictures: one channel of luminance, three channels, or a fourth one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dreamkit.convert.options import LUMINANCE
from dreamkit.errors import ConvertError


@dataclass(frozen=True)
class PictureInput:
    """From preprocessed pixels `(n, height, width, 3)` to the input of a network of `channels`.

    Attributes:
        channels: 1, 3 or 4.
        order: RGB or BGR, the order of the pixels' channels.
        fill: the value of a fourth channel.
    """

    channels: int
    order: str
    fill: float

    def __call__(self, pixels: Any) -> Any:
        import tensorflow as tf

        pixels = tf.convert_to_tensor(pixels)
        if self.channels == 1:
            weights = enumerate(LUMINANCE[self.order])
            return tf.add_n([weight * pixels[..., place, None] for place, weight in weights])
        if self.channels == 4:
            return tf.pad(pixels, [[0, 0]] * 3 + [[0, 1]], constant_values=self.fill)
        return pixels


def picture_input(model: Any, name: str, order: str, fill: float | None) -> PictureInput:
    """The input of a Keras model. Messages call it `name`.

    Raises:
        ConvertError: it has several inputs, or one that is not made of pictures of 1, 3 or 4 channels; or
            there are four and no `fill`, or a `fill` for no fourth channel.
    """
    if len(model.inputs) != 1:
        raise ConvertError(f"{name} has {len(model.inputs)} inputs; dreamkit feeds one picture")
    shape = tuple(model.inputs[0].shape)
    if len(shape) != 4 or shape[-1] not in (1, 3, 4, None):
        takes = " x ".join("any" if size is None else str(size) for size in shape)
        raise ConvertError(
            f"{name} takes {takes}; dreamkit feeds batch x height x width x 1, 3 or 4 channels: build the "
            "model with an RGB input, and a layer that turns RGB into what it takes"
        )
    channels = shape[-1] or 3
    if channels == 4 and fill is None:
        raise ConvertError(
            f"{name} takes four channels, and a picture has three; give the value of the fourth with "
            "--fill, in the network's own units, such as --fill 1"
        )
    if channels != 4 and fill is not None:
        raise ConvertError(f"{name} takes {channels} channels; leave out --fill, which is for a fourth one")
    return PictureInput(channels, order, fill or 0.0)
