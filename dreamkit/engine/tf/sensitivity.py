"""How a class score changes with the activations of a layer: the gradient that tests with concepts use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dreamkit.engine.tf import graph
from dreamkit.engine.tf.compiled_step import PIXELS
from dreamkit.engine.tf.network import Network
from dreamkit.errors import LayerError


def score_gradient(
    network: Network, layer: str, head: str, number: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The function from pictures, float32 `(n, height, width, 3)`, 0 to 255, to the gradient of a class score
    with respect to the activations of `layer`, summed over places: `(n, channels)`.

    The score is channel `number` of the layer `head`, averaged over its places.

    Raises:
        LayerError: a layer does not exist, or the score does not depend on it.
    """
    function = graph.frozen(graph.inlined(network.cut([layer, head])))
    definition = function.graph.as_graph_def()
    nodes = {node.name: node for node in definition.node}
    # The outputs are copies; the score depends on what was copied.
    inside, score = (graph.origin(nodes, tensor.op.name) for tensor in function.outputs)

    @tf.function(input_signature=[PIXELS], autograph=False)
    def gradient(pixels: tf.Tensor) -> tf.Tensor:
        activations, scores = tf.graph_util.import_graph_def(
            definition,
            input_map={function.inputs[0].name: pixels},
            return_elements=[f"{inside}:0", f"{score}:0"],
            name="",
        )
        of_class = tf.reduce_mean(scores[..., number], axis=list(range(1, scores.shape.rank - 1)))
        (found,) = tf.gradients(tf.reduce_sum(of_class), activations)
        if found is None:
            raise LayerError(f"the class scores of {network.provider.name} do not depend on {layer}")
        return tf.reduce_sum(found, axis=[1, 2])

    return lambda pixels: gradient(tf.constant(pixels, tf.float32)).numpy()
