from dreamkit import Regulariser, hookimpl


def towards_grey(update, pixels, context):
    colours = (pixels - pixels.mean(axis=2, keepdims=True)) / context.unit
    update -= context.weight * colours


@hookimpl
def dreamkit_regularisers():
    yield Regulariser(name="grey", subtract=towards_grey, copies=1, description="takes colour out")
