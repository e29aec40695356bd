"""Its record makes no sense."""

from dreamkit import ModelProvider, Preprocess, hookimpl


@hookimpl
def dreamkit_model_providers():
    yield ModelProvider(name="a b", load=lambda weights: None, preprocess=Preprocess(), layers={})
