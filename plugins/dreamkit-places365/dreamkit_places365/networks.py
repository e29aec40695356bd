"""What is known of the networks: from the release's README, its prototxts and other dreamers' experience.

B. Zhou, A. Lapedriza, A. Khosla, A. Oliva and A. Torralba, "Places: A 10 million Image Database for Scene
Recognition", IEEE Transactions on Pattern Analysis and Machine Intelligence, 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from dreamkit import Preprocess

LICENCE = "CC BY, MIT CSAIL Computer Vision (places2.csail.mit.edu)"
# Each channel's average over the release's mean image, places365CNN_mean.binaryproto.
PREPROCESS = Preprocess(order="BGR", mean=(104.051, 112.514, 116.676))
PROTOTXTS = "https://raw.githubusercontent.com/CSAILVision/places365/master/"
WEIGHTS = "http://places2.csail.mit.edu/models_places365/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network of the release.

    Attributes:
        name: what the command takes; `places365_` before it is what `--model` takes.
        files: what its two files are called there, less their endings.
        layers: dreamed by default.
        megabytes: of its weights, about.
        has_objects: whether it was trained on ImageNet's thousand things as well.
        description: a line for `dreamkit models`.
    """

    name: str
    files: str
    layers: tuple[str, ...]
    megabytes: int
    has_objects: bool = False
    description: str

    @property
    def prototxt(self) -> str:
        """The address of its description."""
        return f"{PROTOTXTS}deploy_{self.files}.prototxt"

    @property
    def caffemodel(self) -> str:
        """The address of its weights."""
        return f"{WEIGHTS}{self.files}.caffemodel"

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its classes; none are known here of a network that saw ImageNet's as well."""
        return () if self.has_objects else categories()


def categories() -> tuple[str, ...]:
    """The 365 kinds of places, in the networks' order."""
    return tuple(files(__package__).joinpath("categories.txt").read_text(encoding="utf-8").splitlines())


NETWORKS = (
    Network(
        name="googlenet",
        files="googlenet_places365",
        layers=("inception_4c/output",),
        megabytes=24,
        description="GoogLeNet that saw 365 kinds of places: arches, towers, fountains and hills",
    ),
    Network(
        name="alexnet",
        files="alexnet_places365",
        layers=("conv4",),
        megabytes=222,
        description="AlexNet that saw 365 kinds of places",
    ),
    Network(
        name="vgg16",
        files="vgg16_places365",
        layers=("conv4_3",),
        megabytes=517,
        description="VGG-16 that saw 365 kinds of places",
    ),
    Network(
        name="vgg16_hybrid",
        files="vgg16_hybrid1365",
        layers=("conv4_3",),
        megabytes=533,
        has_objects=True,
        description="VGG-16 that saw 365 kinds of places and ImageNet's thousand things",
    ),
    Network(
        name="resnet152",
        files="resnet152_places365",
        layers=("res4b5",),
        megabytes=225,
        description="ResNet-152 that saw 365 kinds of places",
    ),
    Network(
        name="resnet152_hybrid",
        files="resnet152_hybrid1365",
        layers=("res4b5",),
        megabytes=233,
        has_objects=True,
        description="ResNet-152 that saw 365 kinds of places and ImageNet's thousand things",
    ),
)
