"""The convolutional networks of Keras Applications, as models for dreamkit.

A table with one record for each network, and one function that makes a provider of a record.
Inception v3 is not here: dreamkit brings it along.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit import ModelProvider, Preprocess, Weights, hookimpl

if TYPE_CHECKING:
    import keras

# The three ways in which Keras prepares pixels, under its own names for them.
_CAFFE = Preprocess(order="BGR", mean=(103.939, 116.779, 123.68))
_TF = Preprocess(mean=(127.5, 127.5, 127.5), scale=(1 / 127.5, 1 / 127.5, 1 / 127.5))
_TORCH = Preprocess(mean=(123.675, 116.28, 103.53), scale=(1 / 58.395, 1 / 57.12, 1 / 57.375))
# The fourth: the network's first layers do it. They stay there, since the published weights of
# EfficientNet hold values of theirs.
_INSIDE = Preprocess()

# As Keras' documentation gave them for the weights while it had a section on it (around version 2.3).
_APACHE = "Apache-2.0"
_BSD = "BSD, ported from Facebook's fb.resnet.torch"
_BSD_3 = "BSD-3-Clause"
_CC_BY = "CC BY 4.0, ported from VGG at Oxford"
_KERAS_MIT = "MIT, trained by the Keras authors"
_RESNET_MIT = "MIT, ported from Kaiming He's deep-residual-networks"
_UNSTATED = "Keras states no terms for the weights"
_UNSTATED_CONVNEXT = "Keras states no terms for the weights, which come from facebookresearch/ConvNeXt"

_STORE = "https://storage.googleapis.com/"
_FOLDER = f"{_STORE}tensorflow/keras-applications/"
_NO_TOP = "weights_tf_dim_ordering_tf_kernels_notop.h5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network of Keras Applications.

    Attributes:
        name: what `--model` takes.
        function: its name in `keras.applications`.
        preprocess: what `preprocess_input` of its Keras module does.
        layers: dreamed by default, each with weight 1.
        url: of the weights without the classifier.
        hash: of that file.
        licence: the terms of the weights.
        file_name: what Keras calls the file in its cache, where that is not the end of `url`.
        min_size: the shortest side that Keras takes.
        side: of the picture that Keras builds the network for; None builds it for any.
        finish: what is done to Keras' model before weights are loaded.
    """

    name: str
    function: str
    preprocess: Preprocess
    layers: tuple[str, ...]
    url: str
    hash: str
    licence: str
    file_name: str = ""
    min_size: int = 32
    side: int | None = None
    finish: Callable[[keras.Model], keras.Model] | None = None


def _second_rescaling(model: keras.Model) -> keras.Model:
    """EfficientNet with the layer that Keras adds for `weights="imagenet"` and for no other weights.

    The published files hold standard deviations where the `Normalization` layer takes variances, so it
    divides by their square roots; the further layer divides by the square roots again.
    """
    import keras

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Normalization):
            return keras.layers.Rescaling([1 / math.sqrt(std) for std in (0.229, 0.224, 0.225)])(outputs)
        return outputs

    return keras.models.clone_model(model, call_function=call)


def _any_size(model: keras.Model) -> keras.Model:
    """NASNet for pictures of any size.

    Keras works out two things from the size it builds a NASNet for: where a cell's second input is larger
    than its first and must be halved, which holds at every size, and the padding in front of each stride
    of two, which depends on whether the activations there have an even or an odd number of rows.
    """
    import keras

    class PadForStride(keras.layers.ZeroPadding2D):  # type: ignore[misc]
        """Pads alike on both sides, then drops the first row and column of what was even."""

        def call(self, inputs: Any) -> Any:
            height, width = keras.ops.shape(inputs)[1:3]
            return super().call(inputs)[:, 1 - height % 2 :, 1 - width % 2 :]

    def clone(layer: Any) -> Any:
        if isinstance(layer, keras.layers.ZeroPadding2D) and "_pad_" in layer.name:
            (_, bottom), (_, right) = layer.padding
            return PadForStride((bottom, right), name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    free = keras.Input((None, None, 3))
    return keras.models.clone_model(model, input_tensors=free, clone_function=clone)


def _depthwise(model: keras.Model) -> keras.Model:
    """ConvNeXt with its spatial convolutions done as what they are.

    Keras has them as convolutions in as many groups as there are channels. With TensorFlow these go through
    XLA, which compiles each of them anew for every size of picture.
    """
    import keras

    class Depthwise(keras.layers.Conv2D):  # type: ignore[misc]
        """A grouped convolution, weights and all; only its arithmetic is another."""

        def call(self, inputs: Any) -> Any:
            kernel = keras.ops.transpose(self.kernel, (0, 1, 3, 2))
            return keras.ops.depthwise_conv(inputs, kernel, padding=self.padding) + self.bias

    def clone(layer: Any) -> Any:
        kind = Depthwise if getattr(layer, "groups", 1) > 1 else layer.__class__
        return kind.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=clone)


def _load(network: Network, weights: Path | None) -> keras.Model:
    import keras

    build = getattr(keras.applications, network.function)
    model = build(include_top=False, weights=None, input_shape=(network.side, network.side, 3))
    if network.finish:
        model = network.finish(model)
    if weights is not None:
        model.load_weights(str(weights))
    return model


def _provider(network: Network) -> ModelProvider:
    return ModelProvider(
        name=network.name,
        load=partial(_load, network),
        preprocess=network.preprocess,
        layers=dict.fromkeys(network.layers, 1.0),
        weights=Weights(
            url=network.url,
            hash=network.hash,
            file_name=network.file_name or network.url.rpartition("/")[2],
            licence=network.licence,
        ),
        min_size=network.min_size,
        description=f"{network.function} of Keras Applications, trained on ImageNet",
        licence=network.licence,
    )


@hookimpl
def dreamkit_model_providers() -> Iterable[ModelProvider]:
    return map(_provider, NETWORKS)


NETWORKS = (
    Network(
        name="vgg16",
        function="VGG16",
        preprocess=_CAFFE,
        layers=("block4_conv3",),
        url=f"{_FOLDER}vgg16/vgg16_{_NO_TOP}",
        hash="md5:6d6bbae143d832006294945121d1f1fc",
        licence=_CC_BY,
    ),
    Network(
        name="vgg19",
        function="VGG19",
        preprocess=_CAFFE,
        layers=("block4_conv4",),
        url=f"{_FOLDER}vgg19/vgg19_{_NO_TOP}",
        hash="md5:253f8cb515780f3b799900260a226db6",
        licence=_CC_BY,
    ),
    Network(
        name="resnet50",
        function="ResNet50",
        preprocess=_CAFFE,
        layers=("conv3_block4_out", "conv5_block3_out"),
        url=f"{_FOLDER}resnet/resnet50_{_NO_TOP}",
        hash="md5:4d473c1dd8becc155b73f8504c6f6626",
        licence=_RESNET_MIT,
    ),
    Network(
        name="resnet101",
        function="ResNet101",
        preprocess=_CAFFE,
        layers=("conv4_block12_out",),
        url=f"{_FOLDER}resnet/resnet101_{_NO_TOP}",
        hash="md5:88cf7a10940856eca736dc7b7e228a21",
        licence=_RESNET_MIT,
    ),
    Network(
        name="resnet152",
        function="ResNet152",
        preprocess=_CAFFE,
        layers=("conv4_block18_out",),
        url=f"{_FOLDER}resnet/resnet152_{_NO_TOP}",
        hash="md5:ee4c566cf9a93f14d82f913c2dc6dd0c",
        licence=_RESNET_MIT,
    ),
    Network(
        name="resnet50v2",
        function="ResNet50V2",
        preprocess=_TF,
        layers=("conv4_block3_out",),
        url=f"{_FOLDER}resnet/resnet50v2_{_NO_TOP}",
        hash="md5:fac2f116257151a9d068a22e544a4917",
        licence=_BSD,
    ),
    Network(
        name="resnet101v2",
        function="ResNet101V2",
        preprocess=_TF,
        layers=("conv4_block12_out",),
        url=f"{_FOLDER}resnet/resnet101v2_{_NO_TOP}",
        hash="md5:c0ed64b8031c3730f411d2eb4eea35b5",
        licence=_BSD,
    ),
    Network(
        name="resnet152v2",
        function="ResNet152V2",
        preprocess=_TF,
        layers=("conv4_block6_out", "conv5_block3_out"),
        url=f"{_FOLDER}resnet/resnet152v2_{_NO_TOP}",
        hash="md5:ed17cf2e0169df9d443503ef94b23b33",
        licence=_BSD,
    ),
    Network(
        name="xception",
        function="Xception",
        preprocess=_TF,
        layers=("block13_sepconv2_act", "block14_sepconv2_act"),
        url=f"{_FOLDER}xception/xception_{_NO_TOP}",
        hash="md5:b0042744bf5b25fce3cb969f33bebb97",
        licence=_KERAS_MIT,
        min_size=71,
    ),
    Network(
        name="densenet121",
        function="DenseNet121",
        preprocess=_TORCH,
        layers=("conv4_block24_1_conv", "conv5_block16_1_conv"),
        url=f"{_FOLDER}densenet/densenet121_{_NO_TOP}",
        hash="md5:30ee3e1110167f948a6b9946edeeb738",
        licence=_BSD_3,
    ),
    Network(
        name="densenet169",
        function="DenseNet169",
        preprocess=_TORCH,
        layers=("conv4_block32_1_conv",),
        url=f"{_FOLDER}densenet/densenet169_{_NO_TOP}",
        hash="md5:b8c4d4c20dd625c148057b9ff1c1176b",
        licence=_BSD_3,
    ),
    Network(
        name="densenet201",
        function="DenseNet201",
        preprocess=_TORCH,
        layers=("conv4_block48_1_conv",),
        url=f"{_FOLDER}densenet/densenet201_{_NO_TOP}",
        hash="md5:c13680b51ded0fb44dff2d8f86ac8bb1",
        licence=_BSD_3,
    ),
    Network(
        name="inception_resnet_v2",
        function="InceptionResNetV2",
        preprocess=_TF,
        layers=("mixed_6a", "mixed_7a"),
        url=f"{_FOLDER}inception_resnet_v2/inception_resnet_v2_{_NO_TOP}",
        hash="md5:d19885ff4a710c122648d3b5c3b684e4",
        licence=_APACHE,
        min_size=75,
    ),
    Network(
        name="nasnet_mobile",
        function="NASNetMobile",
        preprocess=_TF,
        layers=("normal_concat_7",),
        url=f"{_FOLDER}nasnet/NASNet-mobile-no-top.h5",
        file_name="nasnet_mobile_no_top.h5",
        hash="md5:1ed92395b5b598bdda52abe5c0dbfd63",
        licence=_APACHE,
        side=224,
        finish=_any_size,
    ),
    Network(
        name="nasnet_large",
        function="NASNetLarge",
        preprocess=_TF,
        layers=("normal_concat_11",),
        url=f"{_FOLDER}nasnet/NASNet-large-no-top.h5",
        file_name="nasnet_large_no_top.h5",
        hash="md5:d81d89dc07e6e56530c4e77faddd61b5",
        licence=_APACHE,
        side=331,
        finish=_any_size,
    ),
    # Keras states no hash for this file and the next; these are of a mirror (see the README).
    Network(
        name="mobilenet",
        function="MobileNet",
        preprocess=_TF,
        layers=("conv_pw_8_relu",),
        url=f"{_FOLDER}mobilenet/mobilenet_1_0_224_tf_no_top.h5",
        hash="md5:725ccbd03d61d7ced5b5c4cd17e7d527",
        licence=_APACHE,
    ),
    Network(
        name="mobilenet_v2",
        function="MobileNetV2",
        preprocess=_TF,
        layers=("block_13_depthwise", "block_16_depthwise"),
        url=f"{_FOLDER}mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        hash="md5:f1a68526548f7541cda07e19ba6c85f4",
        licence=_APACHE,
    ),
    Network(
        name="mobilenet_v3_small",
        function="MobileNetV3Small",
        preprocess=_INSIDE,
        layers=("expanded_conv_6_depthwise",),
        url=f"{_FOLDER}mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        hash="md5:d3e8ec802a04aa4fc771ee12a9a9b836",
        licence=_UNSTATED,
    ),
    Network(
        name="mobilenet_v3_large",
        function="MobileNetV3Large",
        preprocess=_INSIDE,
        layers=("expanded_conv_9_depthwise",),
        url=f"{_FOLDER}mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        hash="md5:07fb09a5933dd0c8eaafa16978110389",
        licence=_UNSTATED,
    ),
    Network(
        name="efficientnet_b0",
        function="EfficientNetB0",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_STORE}keras-applications/efficientnetb0_notop.h5",
        hash="md5:50bc09e76180e00e4465e1a485ddc09d",
        licence=_UNSTATED,
        finish=_second_rescaling,
    ),
    Network(
        name="efficientnet_b1",
        function="EfficientNetB1",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_STORE}keras-applications/efficientnetb1_notop.h5",
        hash="md5:74c4e6b3e1f6a1eea24c589628592432",
        licence=_UNSTATED,
        finish=_second_rescaling,
    ),
    Network(
        name="efficientnet_b2",
        function="EfficientNetB2",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_STORE}keras-applications/efficientnetb2_notop.h5",
        hash="md5:111f8e2ac8aa800a7a99e3239f7bfb39",
        licence=_UNSTATED,
        finish=_second_rescaling,
    ),
    Network(
        name="efficientnet_b3",
        function="EfficientNetB3",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_STORE}keras-applications/efficientnetb3_notop.h5",
        hash="md5:af6d107764bb5b1abb91932881670226",
        licence=_UNSTATED,
        finish=_second_rescaling,
    ),
    Network(
        name="efficientnet_b4",
        function="EfficientNetB4",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_STORE}keras-applications/efficientnetb4_notop.h5",
        hash="md5:ebc24e6d6c33eaebbd558eafbeedf1ba",
        licence=_UNSTATED,
        finish=_second_rescaling,
    ),
    Network(
        name="efficientnet_b5",
        function="EfficientNetB5",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_STORE}keras-applications/efficientnetb5_notop.h5",
        hash="md5:38879255a25d3c92d5e44e04ae6cec6f",
        licence=_UNSTATED,
        finish=_second_rescaling,
    ),
    Network(
        name="efficientnet_b6",
        function="EfficientNetB6",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_STORE}keras-applications/efficientnetb6_notop.h5",
        hash="md5:9ecce42647a20130c1f39a5d4cb75743",
        licence=_UNSTATED,
        finish=_second_rescaling,
    ),
    Network(
        name="efficientnet_b7",
        function="EfficientNetB7",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_STORE}keras-applications/efficientnetb7_notop.h5",
        hash="md5:cbcfe4450ddf6f3ad90b1b398090fe4a",
        licence=_UNSTATED,
        finish=_second_rescaling,
    ),
    Network(
        name="efficientnetv2_b0",
        function="EfficientNetV2B0",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_FOLDER}efficientnet_v2/efficientnetv2-b0_notop.h5",
        hash="md5:893217f2bb855e2983157299931e43ff",
        licence=_UNSTATED,
    ),
    Network(
        name="efficientnetv2_b1",
        function="EfficientNetV2B1",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_FOLDER}efficientnet_v2/efficientnetv2-b1_notop.h5",
        hash="md5:0e80663031ca32d657f9caa404b6ec37",
        licence=_UNSTATED,
    ),
    Network(
        name="efficientnetv2_b2",
        function="EfficientNetV2B2",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_FOLDER}efficientnet_v2/efficientnetv2-b2_notop.h5",
        hash="md5:1dfe2e7a5d45b6632553a8961ea609eb",
        licence=_UNSTATED,
    ),
    Network(
        name="efficientnetv2_b3",
        function="EfficientNetV2B3",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_FOLDER}efficientnet_v2/efficientnetv2-b3_notop.h5",
        hash="md5:f6abf7b5849ac99a89b50dd3fd532856",
        licence=_UNSTATED,
    ),
    Network(
        name="efficientnetv2_s",
        function="EfficientNetV2S",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_FOLDER}efficientnet_v2/efficientnetv2-s_notop.h5",
        hash="md5:af0682fb74e8c54910f2d4393339c070",
        licence=_UNSTATED,
    ),
    Network(
        name="efficientnetv2_m",
        function="EfficientNetV2M",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation",),
        url=f"{_FOLDER}efficientnet_v2/efficientnetv2-m_notop.h5",
        hash="md5:1b8dc055df72dde80d614482840fe342",
        licence=_UNSTATED,
    ),
    Network(
        name="efficientnetv2_l",
        function="EfficientNetV2L",
        preprocess=_INSIDE,
        layers=("block6a_expand_activation", "block7a_project_bn"),
        url=f"{_FOLDER}efficientnet_v2/efficientnetv2-l_notop.h5",
        hash="md5:b0b66b5c863aef5b46e8608fe1711615",
        licence=_UNSTATED,
    ),
    Network(
        name="convnext_tiny",
        function="ConvNeXtTiny",
        preprocess=_INSIDE,
        layers=("convnext_tiny_stage_2_block_4_gelu",),
        url=f"{_FOLDER}convnext/convnext_tiny_notop.h5",
        hash="sha256:d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        licence=_UNSTATED_CONVNEXT,
        finish=_depthwise,
    ),
    Network(
        name="convnext_small",
        function="ConvNeXtSmall",
        preprocess=_INSIDE,
        layers=("convnext_small_stage_2_block_14_gelu",),
        url=f"{_FOLDER}convnext/convnext_small_notop.h5",
        hash="sha256:6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
        licence=_UNSTATED_CONVNEXT,
        finish=_depthwise,
    ),
    Network(
        name="convnext_base",
        function="ConvNeXtBase",
        preprocess=_INSIDE,
        layers=("convnext_base_stage_2_block_14_gelu",),
        url=f"{_FOLDER}convnext/convnext_base_notop.h5",
        hash="sha256:40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
        licence=_UNSTATED_CONVNEXT,
        finish=_depthwise,
    ),
    Network(
        name="convnext_large",
        function="ConvNeXtLarge",
        preprocess=_INSIDE,
        layers=("convnext_large_stage_2_block_14_gelu",),
        url=f"{_FOLDER}convnext/convnext_large_notop.h5",
        hash="sha256:96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
        licence=_UNSTATED_CONVNEXT,
        finish=_depthwise,
    ),
    Network(
        name="convnext_xlarge",
        function="ConvNeXtXLarge",
        preprocess=_INSIDE,
        layers=("convnext_xlarge_stage_2_block_14_gelu",),
        url=f"{_FOLDER}convnext/convnext_xlarge_notop.h5",
        hash="sha256:de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
        licence=_UNSTATED_CONVNEXT,
        finish=_depthwise,
    ),
)
