"""Its hook returns a list of something else."""

from dreamkit import hookimpl


@hookimpl
def dreamkit_model_providers():
    return [{"name": "fake_model"}]
