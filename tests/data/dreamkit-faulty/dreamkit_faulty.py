"""Parts with a fault each; none may cost more than one line."""

from dreamkit import Objective, Option, Parametrisation, Regulariser, Transform, hookimpl


def raises(*given, **more):
    del given, more
    raise KeyError("a bug of this plugin")


def scalar(activations):
    import tensorflow as tf

    return tf.reduce_mean(activations)


class Stuck:
    apply = adjoint = step = arrays = raises


@hookimpl
def dreamkit_objectives():
    yield Objective(name="raises", value=raises)
    yield Objective(name="scalar", value=scalar)
    yield Objective(name="mean", value=scalar)


@hookimpl
def dreamkit_regularisers():
    yield Regulariser(name="raises", subtract=raises, options={"much": Option(1, "Nothing.")})


@hookimpl
def dreamkit_parametrisations():
    yield Parametrisation(name="raises", make=raises)
    yield Parametrisation(name="stuck", make=lambda *_: Stuck())


@hookimpl
def dreamkit_transforms():
    yield Transform(name="raises", draw=raises)
    yield Transform(name="stuck", draw=lambda _: Stuck())
    yield Transform(name="step", draw=lambda *_, **__: None, options={"size": Option(1.0, "Nothing.")})
