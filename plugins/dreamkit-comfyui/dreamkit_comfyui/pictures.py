"""Pictures of ComfyUI as files: an IMAGE is float (pictures, height, width, channels) from 0 to 1, a MASK has
no channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

Tensor: TypeAlias = Any  # of PyTorch, which is ComfyUI's and never imported here before a picture comes


def to_array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The numbers of a tensor, on whatever device it is."""
    return np.asarray(tensor.detach().cpu().numpy())


def to_tensor(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor of numbers."""
    import torch

    return torch.from_numpy(array)


def write(pictures: Tensor, folder: Path, name: str) -> list[str]:
    """Writes the pictures of an IMAGE or a MASK into `folder` as PNG files, and returns their names."""
    array = to_array(pictures)
    names = []
    for number, values in enumerate(array[np.newaxis] if array.ndim == 2 else array):
        levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
        grey = levels.ndim == 3 and levels.shape[2] == 1
        names.append(f"{name}{number + 1}.png")
        # Uncompressed, because the file lives for a moment.
        Image.fromarray(levels[..., 0] if grey else levels).save(folder / names[-1], compress_level=0)
    return names


def read(paths: Sequence[Path]) -> Tensor:
    """The IMAGE of pictures of one size."""
    pictures = []
    for path in paths:
        with Image.open(path) as image:
            pictures.append(np.asarray(image.convert("RGBA" if image.mode == "RGBA" else "RGB")))
    return to_tensor(np.stack(pictures).astype(np.float32) / np.float32(255))
