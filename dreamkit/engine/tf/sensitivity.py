"""How a class score changes with the activations of layers: the gradients that tests with concepts use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dreamkit.engine.tf import graph
from dreamkit.engine.tf.compiled_step import pictures_spec
from dreamkit.engine.tf.network import Network
from dreamkit.errors import LayerError


def score_gradients(
    network: Network, layers: Sequence[str], head: str, number: int
) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """The function from pictures, float32 `(n, height, width, 3)`, 0 to 255, to the gradients of a class
    score with respect to the activations of each of `layers`, summed over places: `(n, channels)`.

    The score is channel `number` of the layer `head`, averaged over its places.

    Raises:
        LayerError: a layer does not exist, or the score does not depend on it.
    """
    function = graph.frozen(graph.inlined(network.cut([*layers, head])))
    definition = function.graph.as_graph_def()
    nodes = {node.name: node for node in definition.node}
    # The outputs are copies; the score depends on what was copied.
    origins = [f"{graph.origin(nodes, tensor.op.name)}:0" for tensor in function.outputs]

    @tf.function(input_signature=[pictures_spec("pixels")], autograph=False)
    def gradients(pixels: tf.Tensor) -> list[tf.Tensor]:
        *activations, scores = tf.graph_util.import_graph_def(
            definition,
            input_map={function.inputs[0].name: pixels},
            return_elements=origins,
            name="",
        )
        of_class = tf.reduce_mean(scores[..., number], axis=list(range(1, scores.shape.rank - 1)))
        found = tf.gradients(tf.reduce_sum(of_class), activations)
        for layer, each in zip(layers, found, strict=True):
            if each is None:
                raise LayerError(f"the class scores of {network.provider.name} do not depend on {layer}")
        return [tf.reduce_sum(each, axis=[1, 2]) for each in found]

    return lambda pixels: [each.numpy() for each in gradients(tf.constant(pixels, tf.float32))]
