from dreamkit import Objective, Option, hookimpl


def standouts(activations, *, threshold):
    import tensorflow as tf

    mean = tf.stop_gradient(tf.reduce_mean(activations, axis=[1, 2], keepdims=True))
    above = tf.nn.relu(activations - threshold * mean)
    return tf.reduce_mean(tf.square(above), axis=[1, 2, 3])


@hookimpl
def dreamkit_objectives():
    threshold = Option(2.0, "How many times its mean a feature must exceed to grow.", least=0.0, most=10.0)
    yield Objective(name="standouts", value=standouts, power=2, options={"threshold": threshold})
