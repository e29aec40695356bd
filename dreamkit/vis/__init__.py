"""Feature visualisation in Python: objectives that compose, and pictures that notebooks show.

    from dreamkit import vis

    vis.render(0.5 * vis.channel("mixed4a", 20) + vis.channel("mixed4c", 277), model="pocket")

An objective is a weighted sum of terms, the tables that `layers=` of `dreamkit.dream` takes. Nothing is
computed here: a rendering is a dream.
"""

from dreamkit.vis.objectives import (
    Combination,
    channel,
    class_score,
    concept,
    direction,
    layer,
    mean,
    neuron,
    text,
)
from dreamkit.vis.renderings import Rendering, Sheet, channels, render
from dreamkit.vis.several import Groups, between, diverse, groups

__all__ = [
    "Combination",
    "Groups",
    "Rendering",
    "Sheet",
    "between",
    "channel",
    "channels",
    "class_score",
    "concept",
    "direction",
    "diverse",
    "groups",
    "layer",
    "mean",
    "neuron",
    "render",
    "text",
]
