"""The networks of the release: addresses, preprocessing, layers and labels.

Sources: the README and the prototxts of the release; the layers are those that other dreamers use.

B. Zhou, A. Lapedriza, A. Khosla, A. Oliva and A. Torralba, "Places: A 10 million Image Database for Scene
Recognition", IEEE Transactions on Pattern Analysis and Machine Intelligence, 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from dreamkit import Preprocess

LICENCE = "CC BY, MIT CSAIL Computer Vision (places2.csail.mit.edu)"
# The mean of each channel of the release's mean image, places365CNN_mean.binaryproto.
PREPROCESS = Preprocess(order="BGR", mean=(104.051, 112.514, 116.676))
PROTOTXTS = "https://raw.githubusercontent.com/CSAILVision/places365/master/"
WEIGHTS = "http://places2.csail.mit.edu/models_places365/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network of the release.

    Attributes:
        name: what the command takes; `--model` takes it with `places365_` in front.
        files: the name of its two files in the release, without their extensions.
        layers: dreamed by default.
        has_imagenet_classes: whether it was trained on the thousand classes of ImageNet as well.
        description: one line for `dreamkit models`.
    """

    name: str
    files: str
    layers: tuple[str, ...]
    has_imagenet_classes: bool = False
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
        """The names of its classes; empty for a network that has ImageNet's classes as well."""
        return () if self.has_imagenet_classes else categories()


def categories() -> tuple[str, ...]:
    """The 365 kinds of places, in the networks' order."""
    return tuple(files(__package__).joinpath("categories.txt").read_text(encoding="utf-8").splitlines())


NETWORKS = (
    Network(
        name="googlenet",
        files="googlenet_places365",
        layers=("inception_4c/output",),
        description="GoogLeNet trained on 365 kinds of places: arches, towers, fountains and hills",
    ),
    Network(
        name="alexnet",
        files="alexnet_places365",
        layers=("conv4",),
        description="AlexNet trained on 365 kinds of places",
    ),
    Network(
        name="vgg16",
        files="vgg16_places365",
        layers=("conv4_3",),
        description="VGG-16 trained on 365 kinds of places",
    ),
    Network(
        name="vgg16_hybrid",
        files="vgg16_hybrid1365",
        layers=("conv4_3",),
        has_imagenet_classes=True,
        description="VGG-16 trained on 365 kinds of places and ImageNet's thousand classes",
    ),
    Network(
        name="resnet152",
        files="resnet152_places365",
        layers=("res4b5",),
        description="ResNet-152 trained on 365 kinds of places",
    ),
    Network(
        name="resnet152_hybrid",
        files="resnet152_hybrid1365",
        layers=("res4b5",),
        has_imagenet_classes=True,
        description="ResNet-152 trained on 365 kinds of places and ImageNet's thousand classes",
    ),
)
