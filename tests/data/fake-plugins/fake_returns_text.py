"""Its hook returns a name."""

from dreamkit import hookimpl


@hookimpl
def dreamkit_model_providers():
    return "fake_model"
