"""Its hook raises."""

from dreamkit import hookimpl


@hookimpl
def dreamkit_model_providers():
    raise RuntimeError("the first line\nand a second one")
