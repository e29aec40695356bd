"""Caffe's messages as data: the fields of a prototxt and of a caffemodel, and the layer types.

Source: caffe.proto of BVLC Caffe, with the layers Permute and Crop.
"""

from __future__ import annotations

from dreamkit.convert.caffe.protobuf import Enum, Field, Message


def _skipped(*names: str) -> dict[str, Field]:
    """Fields that matter only in training. They are allowed and ignored."""
    return {name: Field(-1 - place, "skip", True) for place, name in enumerate(names)}


# Names, numbers and defaults are those of caffe.proto. Numbers are given only where a caffemodel is read:
# the names of its layers and their weights. All other fields have the number -1.
_UINT = Field(-1, "uint64")
_UINTS = Field(-1, "uint64", repeated=True)
_ENGINE = _skipped("engine")
_FILLERS = _skipped("weight_filler", "bias_filler")


def _int(default: int) -> Field:
    return Field(-1, "int64", default=default)


def _float(default: float) -> Field:
    return Field(-1, "float", default=default)


def _bool(default: bool) -> Field:
    return Field(-1, "bool", default=default)


def _enum(default: str, **values: int) -> Field:
    return Field(-1, Enum(values), default=default)


_SHAPE: Message = {"dim": Field(1, "int64", repeated=True)}
_WINDOW: Message = {
    **dict.fromkeys(("kernel_size", "pad", "stride", "dilation"), _UINTS),
    **{f"{name}_{side}": _UINT for name in ("kernel", "pad", "stride") for side in "hw"},
}
_LOG: Message = {"base": _float(-1.0), "scale": _float(1.0), "shift": _float(0.0)}
PARAMS: dict[str, Message] = {
    "batch_norm_param": {
        "use_global_stats": Field(-1, "bool"),
        "eps": _float(1e-5),
        **_skipped("moving_average_fraction"),
    },
    "bias_param": {"axis": _int(1), "num_axes": _int(1), **_skipped("filler")},
    "concat_param": {"axis": _int(1), "concat_dim": _UINT},
    "convolution_param": {
        **_WINDOW,
        "num_output": _UINT,
        "bias_term": _bool(True),
        "group": Field(-1, "uint64", default=1),
        "axis": _int(1),
        **_FILLERS,
        **_ENGINE,
        **_skipped("force_nd_im2col"),
    },
    "crop_param": {"axis": _int(2), "offset": _UINTS},
    "dropout_param": {**_skipped("dropout_ratio")},
    "dummy_data_param": {
        "shape": Field(-1, _SHAPE, repeated=True),
        **dict.fromkeys(("num", "channels", "height", "width"), _UINTS),
        **_skipped("data_filler"),
    },
    "eltwise_param": {
        "operation": _enum("SUM", PROD=0, SUM=1, MAX=2),
        "coeff": Field(-1, "float", repeated=True),
        **_skipped("stable_prod_grad"),
    },
    "elu_param": {"alpha": _float(1.0)},
    "exp_param": _LOG,
    "flatten_param": {"axis": _int(1), "end_axis": _int(-1)},
    "inner_product_param": {
        "num_output": _UINT,
        "bias_term": _bool(True),
        "axis": _int(1),
        "transpose": _bool(False),
        **_FILLERS,
    },
    "input_param": {"shape": Field(-1, _SHAPE, repeated=True)},
    "log_param": _LOG,
    "lrn_param": {
        "local_size": Field(-1, "uint64", default=5),
        "alpha": _float(1.0),
        "beta": _float(0.75),
        "k": _float(1.0),
        "norm_region": _enum("ACROSS_CHANNELS", ACROSS_CHANNELS=0, WITHIN_CHANNEL=1),
        **_ENGINE,
    },
    "memory_data_param": dict.fromkeys(("batch_size", "channels", "height", "width"), _UINT),
    "permute_param": {"order": _UINTS},
    "pooling_param": {
        **{name: kind for name, kind in _WINDOW.items() if name != "dilation"},
        "pool": _enum("MAX", MAX=0, AVE=1, STOCHASTIC=2),
        "global_pooling": _bool(False),
        **_ENGINE,
    },
    "power_param": {"power": _float(1.0), "scale": _float(1.0), "shift": _float(0.0)},
    "prelu_param": {"channel_shared": _bool(False), **_skipped("filler")},
    "relu_param": {"negative_slope": _float(0.0), **_ENGINE},
    "reshape_param": {"shape": Field(-1, _SHAPE), "axis": _int(0), "num_axes": _int(-1)},
    "scale_param": {
        "axis": _int(1),
        "num_axes": _int(1),
        "bias_term": _bool(False),
        **_skipped("filler", "bias_filler"),
    },
    "sigmoid_param": {**_ENGINE},
    "slice_param": {"axis": _int(1), "slice_dim": _UINT, "slice_point": _UINTS},
    "softmax_param": {"axis": _int(1), **_ENGINE},
    "tanh_param": {**_ENGINE},
    "transform_param": {"crop_size": _UINT, "*": Field(-1, "skip", True)},
    "data_param": {"batch_size": _UINT, "crop_size": _UINT, "*": Field(-1, "skip", True)},
    "image_data_param": {
        "batch_size": _UINT,
        "crop_size": _UINT,
        "is_color": _bool(True),
        **dict.fromkeys(("new_height", "new_width"), _UINT),
        "*": Field(-1, "skip", True),
    },
}

# The supported layer types, each with the field that holds its parameters.
PARAM_FIELDS = {
    "AbsVal": "",
    "BatchNorm": "batch_norm_param",
    "Bias": "bias_param",
    "Concat": "concat_param",
    "Convolution": "convolution_param",
    "Crop": "crop_param",
    "Data": "data_param",
    "Deconvolution": "convolution_param",
    "Dropout": "dropout_param",
    "DummyData": "dummy_data_param",
    "ELU": "elu_param",
    "Eltwise": "eltwise_param",
    "Exp": "exp_param",
    "Flatten": "flatten_param",
    "ImageData": "image_data_param",
    "InnerProduct": "inner_product_param",
    "Input": "input_param",
    "LRN": "lrn_param",
    "Log": "log_param",
    "MemoryData": "memory_data_param",
    "PReLU": "prelu_param",
    "Permute": "permute_param",
    "Pooling": "pooling_param",
    "Power": "power_param",
    "ReLU": "relu_param",
    "Reshape": "reshape_param",
    "Scale": "scale_param",
    "Sigmoid": "sigmoid_param",
    "Slice": "slice_param",
    "Softmax": "softmax_param",
    "Split": "",
    "TanH": "tanh_param",
}
# The layer types of format V1, an enumeration: name -> number and today's name.
V1_TYPES = {
    "NONE": (0, ""),
    "ABSVAL": (35, "AbsVal"),
    "ACCURACY": (1, "Accuracy"),
    "ARGMAX": (30, "ArgMax"),
    "BNLL": (2, "BNLL"),
    "CONCAT": (3, "Concat"),
    "CONTRASTIVE_LOSS": (37, "ContrastiveLoss"),
    "CONVOLUTION": (4, "Convolution"),
    "DATA": (5, "Data"),
    "DECONVOLUTION": (39, "Deconvolution"),
    "DROPOUT": (6, "Dropout"),
    "DUMMY_DATA": (32, "DummyData"),
    "EUCLIDEAN_LOSS": (7, "EuclideanLoss"),
    "ELTWISE": (25, "Eltwise"),
    "EXP": (38, "Exp"),
    "FLATTEN": (8, "Flatten"),
    "HDF5_DATA": (9, "HDF5Data"),
    "HDF5_OUTPUT": (10, "HDF5Output"),
    "HINGE_LOSS": (28, "HingeLoss"),
    "IM2COL": (11, "Im2col"),
    "IMAGE_DATA": (12, "ImageData"),
    "INFOGAIN_LOSS": (13, "InfogainLoss"),
    "INNER_PRODUCT": (14, "InnerProduct"),
    "LRN": (15, "LRN"),
    "MEMORY_DATA": (29, "MemoryData"),
    "MULTINOMIAL_LOGISTIC_LOSS": (16, "MultinomialLogisticLoss"),
    "MVN": (34, "MVN"),
    "POOLING": (17, "Pooling"),
    "POWER": (26, "Power"),
    "RELU": (18, "ReLU"),
    "SIGMOID": (19, "Sigmoid"),
    "SIGMOID_CROSS_ENTROPY_LOSS": (27, "SigmoidCrossEntropyLoss"),
    "SILENCE": (36, "Silence"),
    "SOFTMAX": (20, "Softmax"),
    "SOFTMAX_LOSS": (21, "SoftmaxWithLoss"),
    "SPLIT": (22, "Split"),
    "SLICE": (33, "Slice"),
    "TANH": (23, "TanH"),
    "WINDOW_DATA": (24, "WindowData"),
    "THRESHOLD": (31, "Threshold"),
}
DATA_TYPES = ("Input", "DummyData", "MemoryData", "Data", "ImageData", "WindowData", "HDF5Data")
TRAINING_TYPES = ("Accuracy", "Silence", "HDF5Output")  # and every type that ends in Loss

_PHASE = Field(-1, Enum({"TRAIN": 0, "TEST": 1}))
_STRINGS = Field(-1, "string", repeated=True)
_RULE: Message = {
    "phase": _PHASE,
    "min_level": Field(-1, "int64"),
    "max_level": Field(-1, "int64"),
    "stage": _STRINGS,
    "not_stage": _STRINGS,
}
_LAYER_FIELDS: Message = {
    "name": Field(-1, "string"),
    "bottom": _STRINGS,
    "top": _STRINGS,
    "include": Field(-1, _RULE, repeated=True),
    "exclude": Field(-1, _RULE, repeated=True),
    **{name: Field(-1, message) for name, message in PARAMS.items()},
    # Layers of other programs have parameters of their own.
    "*_param": Field(-1, "skip", True),
    **_skipped("param", "blobs", "loss_weight", "blob_share_mode", "blobs_lr", "weight_decay"),
}
_LAYER: Message = {
    **_LAYER_FIELDS,
    "type": Field(-1, "string"),
    "phase": _PHASE,
    **_skipped("propagate_down"),
}
_V1_LAYER: Message = {
    **_LAYER_FIELDS,
    "type": Field(-1, Enum({name: number for name, (number, _) in V1_TYPES.items()})),
    **_skipped("layer"),
}
NET: Message = {
    "name": Field(-1, "string"),
    "input": _STRINGS,
    "input_dim": Field(-1, "int64", repeated=True),
    "input_shape": Field(-1, _SHAPE, repeated=True),
    "state": Field(-1, {"phase": _PHASE, "level": _int(0), "stage": _STRINGS}),
    "layer": Field(-1, _LAYER, repeated=True),
    "layers": Field(-1, _V1_LAYER, repeated=True),
    **_skipped("force_backward", "debug_info"),
}

BLOB: Message = {
    "num": Field(1, "int64"),
    "channels": Field(2, "int64"),
    "height": Field(3, "int64"),
    "width": Field(4, "int64"),
    "data": Field(5, "float", repeated=True),
    "shape": Field(7, _SHAPE),
    "double_data": Field(8, "double", repeated=True),
}
MODEL: Message = {
    "layers": Field(
        2,
        {
            "layer": Field(1, {"name": Field(1, "string")}),
            "name": Field(4, "string"),
            "blobs": Field(6, BLOB, repeated=True),
        },
        repeated=True,
    ),
    "layer": Field(100, {"name": Field(1, "string"), "blobs": Field(7, BLOB, repeated=True)}, repeated=True),
}
MAX_AXES = 32  # of one blob, as in Caffe
V0_FORMAT = (
    "is in the V0 format of 2013; upgrade it with Caffe's upgrade_net_proto_text and upgrade_net_proto_binary"
)
