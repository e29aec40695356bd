"""PyTorch networks for dreamkit: the command `dreamkit convert torch`."""

from __future__ import annotations

from collections.abc import Iterator

from dreamkit import Converter, hookimpl


@hookimpl
def dreamkit_converters() -> Iterator[Converter]:
    yield Converter(
        name="torch",
        help="Convert a PyTorch network: of timm, torchvision, the Hugging Face hub, or your own.",
        command="dreamkit_torch.command:torch",
    )
