"""Its hook forgets to return."""

from dreamkit import hookimpl


@hookimpl
def dreamkit_model_providers():
    pass
