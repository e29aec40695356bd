"""Class labels: from the name of a class to the layer and channel of its score."""

from __future__ import annotations

import re

from dreamkit.errors import LayerError, did_you_mean, shown
from dreamkit.models.providers import ModelProvider


def class_term(provider: ModelProvider, count: int, label: str | int) -> tuple[str, int]:
    """The layer and the channel whose activation is the score of a class.

    Case does not matter, and an underscore is a space. A label may list several names; each of them finds
    the class. So do `library indoor` and `indoor` for `/l/library/indoor`.

    Args:
        provider: the network.
        count: channels of its layer of class scores; 0 where it has none.
        label: the label of the class, or its number.

    Raises:
        LayerError: the network has no class scores or no such class.
    """
    if not count:
        raise LayerError(
            f"{provider.name} has no layer of class scores; choose a network with one, such as a "
            "converted classifier, or dream a channel: --layers LAYER:CHANNEL"
        )
    text = str(label).strip()
    if text.isdecimal():
        if len(text) > 9 or int(text) >= count:
            raise LayerError(f"{provider.name} has no class {shown(text)}; its classes are 0 to {count - 1}")
        return provider.head, int(text)
    if not provider.labels:
        raise LayerError(f"{provider.name} has no labels; give a class by number, 0 to {count - 1}")
    names = {
        name: number
        for number, label in reversed(list(enumerate(provider.labels)))
        for name in _names_in(label)
        if name
    }
    (wanted, *_) = _names_in(text)
    if wanted not in names:
        raise LayerError(f"{provider.name} has no class {text!r}; {did_you_mean(wanted, names)}")
    return provider.head, names[wanted]


def _names_in(label: str) -> list[str]:
    """All names of a class with a label such as `/c/castle` or `kit fox, Vulpes macrotis`."""
    plain = " ".join(label.replace("_", " ").casefold().split())
    each = [name.strip() for name in plain.split(",")]
    below = [re.sub(r"^/\w/", "", name) for name in each]
    spaced = [name.replace("/", " ") for name in below]
    return list(dict.fromkeys([plain, *each, *below, *spaced, *(name.rpartition("/")[2] for name in below)]))
