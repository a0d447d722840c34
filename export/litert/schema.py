"""The part of the .tflite schema (tensorflow/lite/schema/schema.fbs, version 3) that networks need."""

from enum import Enum, IntEnum
from typing import NamedTuple

VERSION = 3
IDENTIFIER = b"TFL3"
BUFFER_ALIGNMENT = 16  # bytes; schema.fbs, table Buffer
SAME, VALID = 0, 1  # Padding: as many results as inputs, or none
RELU = 1  # ActivationFunctionType


class Kind(Enum):
    """How a field of a table is stored; `flatbuffers` names its types so."""

    BOOL = "Bool"
    INT8 = "Int8"
    UINT8 = "Uint8"
    INT32 = "Int32"
    UINT32 = "Uint32"
    OFFSET = "UOffsetTRelative"


class Field(NamedTuple):
    """A field of a table: its position, and its type."""

    slot: int
    kind: Kind


class Type(IntEnum):
    """The type of a tensor (TensorType)."""

    FLOAT32 = 0
    FLOAT16 = 1
    INT32 = 2
    UINT8 = 3


class Operator(NamedTuple):
    """A kind of operator."""

    code: int
    """BuiltinOperator."""
    options: int
    """The number of its options in the union BuiltinOptions; 0 for none."""
    version: int = 1
    """The version that has the types and options that networks need."""


ABS = Operator(101, 78)
ADD = Operator(0, 11)
AVERAGE_POOL_2D = Operator(1, 5)
CAST = Operator(53, 37)
CONCATENATION = Operator(2, 10)
CONV_2D = Operator(3, 1)
DEPTH_TO_SPACE = Operator(5, 94)
DEPTHWISE_CONV_2D = Operator(4, 2)
DEQUANTIZE_FP16 = Operator(6, 38, 3)
LOGISTIC = Operator(14, 0)
MAX_POOL_2D = Operator(17, 5)
MEAN = Operator(40, 27)
MUL = Operator(18, 21)
RELU_LAYER = Operator(19, 0)
RESIZE_BILINEAR = Operator(23, 15, 3)
RESIZE_NEAREST_NEIGHBOR = Operator(97, 74)
ROUND = Operator(116, 0)
RSQRT = Operator(76, 0)
SLICE = Operator(65, 48)
SQUARE = Operator(92, 66)
SUB = Operator(41, 28)


class Model:
    """Fields of a file's root."""

    VERSION = Field(0, Kind.UINT32)
    OPERATOR_CODES = Field(1, Kind.OFFSET)
    SUBGRAPHS = Field(2, Kind.OFFSET)
    DESCRIPTION = Field(3, Kind.OFFSET)
    BUFFERS = Field(4, Kind.OFFSET)
    METADATA = Field(6, Kind.OFFSET)
    SIGNATURES = Field(7, Kind.OFFSET)


class OperatorCode:
    """Fields of the entry of a kind of operator."""

    DEPRECATED_CODE = Field(0, Kind.INT8)
    """A byte; readers of before 2020 know no other code."""
    VERSION = Field(2, Kind.INT32)
    CODE = Field(3, Kind.INT32)


class Subgraph:
    """Fields of a subgraph."""

    TENSORS = Field(0, Kind.OFFSET)
    INPUTS = Field(1, Kind.OFFSET)
    OUTPUTS = Field(2, Kind.OFFSET)
    OPERATORS = Field(3, Kind.OFFSET)
    NAME = Field(4, Kind.OFFSET)


class Tensor:
    """Fields of a tensor."""

    SHAPE = Field(0, Kind.OFFSET)
    TYPE = Field(1, Kind.INT8)
    BUFFER = Field(2, Kind.UINT32)
    NAME = Field(3, Kind.OFFSET)


class Node:
    """Fields of an operator of a subgraph (table Operator)."""

    KIND = Field(0, Kind.UINT32)
    INPUTS = Field(1, Kind.OFFSET)
    OUTPUTS = Field(2, Kind.OFFSET)
    OPTIONS_TYPE = Field(3, Kind.UINT8)
    OPTIONS = Field(4, Kind.OFFSET)


class Buffer:
    """Fields of a buffer."""

    DATA = Field(0, Kind.OFFSET)


class Metadata:
    """Fields of an entry of the metadata."""

    NAME = Field(0, Kind.OFFSET)
    BUFFER = Field(1, Kind.UINT32)


class Signature:
    """Fields of a signature (table SignatureDef)."""

    INPUTS = Field(0, Kind.OFFSET)
    OUTPUTS = Field(1, Kind.OFFSET)
    KEY = Field(2, Kind.OFFSET)
    SUBGRAPH = Field(4, Kind.UINT32)


class TensorMap:
    """Fields of an input or output of a signature."""

    NAME = Field(0, Kind.OFFSET)
    TENSOR = Field(1, Kind.UINT32)


class Conv2D:
    """Fields of the options of CONV_2D."""

    PADDING = Field(0, Kind.INT8)
    STRIDE_W = Field(1, Kind.INT32)
    STRIDE_H = Field(2, Kind.INT32)


class DepthwiseConv2D:
    """Fields of the options of DEPTHWISE_CONV_2D."""

    PADDING = Field(0, Kind.INT8)
    STRIDE_W = Field(1, Kind.INT32)
    STRIDE_H = Field(2, Kind.INT32)
    DEPTH_MULTIPLIER = Field(3, Kind.INT32)


class Add:
    """Fields of the options of ADD."""

    ACTIVATION = Field(0, Kind.INT8)


class Concatenation:
    """Fields of the options of CONCATENATION."""

    AXIS = Field(0, Kind.INT32)


class Cast:
    """Fields of the options of CAST."""

    FROM = Field(0, Kind.INT8)
    TO = Field(1, Kind.INT8)


class DepthToSpace:
    """Fields of the options of DEPTH_TO_SPACE."""

    BLOCK_SIZE = Field(0, Kind.INT32)


class Pool2D:
    """Fields of the options of AVERAGE_POOL_2D and MAX_POOL_2D."""

    PADDING = Field(0, Kind.INT8)
    STRIDE_W = Field(1, Kind.INT32)
    STRIDE_H = Field(2, Kind.INT32)
    FILTER_WIDTH = Field(3, Kind.INT32)
    FILTER_HEIGHT = Field(4, Kind.INT32)


class Reducer:
    """Fields of the options of MEAN."""

    KEEP_DIMS = Field(0, Kind.BOOL)


class ResizeBilinear:
    """Fields of the options of RESIZE_BILINEAR."""

    HALF_PIXEL_CENTERS = Field(3, Kind.BOOL)
