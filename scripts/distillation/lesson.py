"""What the pocket network is taught, in figures: the same for both programs that teach it."""

HELD_OUT = 20  # every 20th photograph by name is never trained on
SCALES = 0.4, 2.5  # crops show photographs at these sizes, log-uniformly
SOME_CHANNELS = 0.25  # how often the objective is the squares of a few channels of the layer
DIRECTION = 0.15  # how often it is a random direction of the layer's channels
DEFAULT = 0.4  # how often the objective's layer is the one that is dreamed by default
DEEP = 0.3  # how often it lies behind that one
AFRESH = 0.25  # how often crops give way to new ones instead of being dreamed on
ZOOM = 0.2  # how often a dreamed crop is enlarged, as from one octave to the next
LEVELS = 2.0, 14.0  # how far one step dreams on, mean absolute change in levels of 0 to 255
OCTAVE_SCALE = 1.4

FEATURES = 0.3  # weight of the activations' errors beside twice the gradient's
SMOOTH = 1.5  # pixels; the middle of the widths that a dream smooths its gradient with
CLIP = 1.0  # norm of the weights' gradient
WARM_UP = 50  # steps
