"""Records gradients of single operators by PyTorch's float64 autograd, for the tests of
src/autodiff.

Run from the repository root with Debian's python3-numpy and python3-torch:

    /usr/bin/python3 scripts/make-autodiff-fixtures.py

Writes src/autodiff/fixtures/FAMILY.json. Each case contains one node (its operator, attributes and
inputs, at some opsets), the value of the node's first output, a cotangent, and the gradient of each
differentiable input. Arrays are base64 of little-endian float32. The inputs are exact in float32.
"""

import base64
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

FOLDER = Path(__file__).resolve().parent.parent / "src/autodiff/fixtures"
generator = torch.Generator().manual_seed(0)
families = {}


def text(tensor):
    return base64.b64encode(tensor.detach().contiguous().numpy().astype("<f4").tobytes()).decode()


def x(*shape, low=-2.0, high=2.0):
    """A differentiable input with values uniform in [low, high)."""
    return torch.rand(shape, generator=generator).mul(high - low).add(low).double()


def distinct(*shape):
    """Numbers so far apart that finite differences do not change their order."""
    count = math.prod(shape)
    return (torch.randperm(count, generator=generator).double() / count * 4 - 2).float().double(
        ).reshape(shape)


class Constant:
    """An input that is an initializer: weights, axes, indices."""

    def __init__(self, values, kind="float32", shape=None):
        array = values if isinstance(values, torch.Tensor) else torch.tensor(values,
            dtype=torch.float64)
        self.tensor = array.double() if kind == "float32" else array.to(torch.int64)
        if shape is not None:
            self.tensor = self.tensor.reshape(shape)
        self.kind = kind


def ints(*values, shape=None):
    return Constant(torch.tensor(values, dtype=torch.int64), "int64", shape)


def bools(tensor):
    return Constant(tensor.to(torch.int64), "bool")


def w(*shape):
    return Constant(x(*shape, low=-1, high=1))


def encode(value):
    if value is None:
        return None
    if isinstance(value, Constant):
        data = text(value.tensor) if value.kind == "float32" else value.tensor.flatten().tolist()
        return {"type": value.kind, "shape": list(value.tensor.shape), "data": data}
    return {"type": "float32", "shape": list(value.shape), "data": text(value),
        "differentiable": True}


def case(family, op, opsets, inputs, function, attributes=None, outputs=1, batch=True, smooth=True,
    name=None, domain="", latest=True):
    """Records one case. `function` takes the tensors of the inputs. `smooth=False` skips finite
    differences (for ties and rounding). A case for opset 13 or later is also recorded for opset
    22, unless `latest` is False."""
    def leaf(value):
        if value is None:
            return None
        return value.tensor if isinstance(value, Constant) else value.clone().requires_grad_()

    leaves = [leaf(value) for value in inputs]
    y = function(*leaves)
    cotangent = torch.rand(y.shape, generator=generator).sub(0.5).float().double()
    y.backward(cotangent)
    if domain == "" and 13 <= max(opsets) < 22 and latest:
        opsets = [*opsets, 22]
    families.setdefault(family, []).append(
        {
            "op": op,
            "domain": domain,
            "name": name or "",
            "opsets": opsets,
            "attributes": attributes or {},
            "inputs": [encode(v) for v in inputs],
            "outputs": outputs,
            "batch": batch,
            "smooth": smooth,
            "y": {"shape": list(y.shape), "data": text(y)},
            "cotangent": text(cotangent),
            "gradients": [text(leaf.grad) if isinstance(v, torch.Tensor) else None
                for v, leaf in zip(inputs, leaves)],
        }
    )


# --- convolution


def conv(size, weights, strides=None, pads=None, dilations=None, group=1, bias=False, auto_pad=None,
    opsets=(9, 13), name=None):
    rank = len(size) - 2
    s, d = strides or [1] * rank, dilations or [1] * rank
    kernel = weights[2:]
    padding = pads or [0] * (2 * rank)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        total = [max(0, (math.ceil(n / a) - 1) * a + (k - 1) * b + 1 - n)
            for n, k, a, b in zip(size[2:], kernel, s, d)]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        padding = small + large if auto_pad == "SAME_UPPER" else large + small
    flat = [p for i in reversed(range(rank)) for p in (padding[i], padding[i + rank])]
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    attributes = {"kernel_shape": list(kernel)}
    if strides:
        attributes["strides"] = s
    if dilations:
        attributes["dilations"] = d
    if group > 1:
        attributes["group"] = group
    if auto_pad:
        attributes["auto_pad"] = auto_pad
    elif pads:
        attributes["pads"] = pads
    inputs = [x(*size), w(*weights)] + ([x(weights[0])] if bias else [])
    case("convolution", "Conv", list(opsets), inputs,
        lambda v, k, b=None: function(F.pad(v, flat), k, b, s, 0, d, group), attributes, name=name)


conv((2, 3, 6, 5), (4, 3, 3, 3), pads=[1, 1, 1, 1], bias=True, name="3x3")
conv((2, 3, 6, 5), (4, 3, 3, 2), pads=[0, 1, 2, 0], name="asymmetric pads")
conv((2, 4, 5, 5), (6, 2, 3, 3), pads=[1, 1, 1, 1], group=2, name="groups")
conv((2, 4, 5, 5), (4, 1, 3, 3), pads=[1, 1, 1, 1], group=4, name="depthwise")
conv((2, 3, 6, 6), (6, 1, 3, 3), pads=[1, 1, 1, 1], group=3, name="depthwise with a multiplier")
conv((2, 3, 7, 8), (4, 3, 3, 3), pads=[2, 2, 2, 2], dilations=[2, 2], name="dilation")
conv((2, 3, 4, 4), (4, 3, 1, 1), pads=[1, 1, 1, 1], name="pads beyond the kernel")
conv((2, 3, 7, 8), (4, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1],
    name="3x3 stride 2, even and uneven size")
conv((2, 3, 8, 8), (4, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER", name="SAME_UPPER")
conv((2, 3, 7, 8), (4, 3, 3, 3), strides=[2, 2], auto_pad="SAME_LOWER", name="SAME_LOWER")
conv((2, 3, 7, 8), (4, 3, 3, 3), auto_pad="SAME_UPPER", name="SAME_UPPER stride 1")
conv((2, 3, 7, 8), (4, 3, 3, 3), strides=[2, 2], auto_pad="VALID", name="VALID")
conv((2, 3, 7, 8), (4, 3, 1, 1), strides=[2, 2], name="1x1 stride 2")
conv((2, 3, 7, 8), (4, 3, 1, 1), strides=[3, 2], name="1x1 uneven strides")
conv((2, 3, 9, 8), (4, 3, 7, 7), strides=[2, 2], pads=[3, 3, 3, 3], name="7x7 stride 2")
conv((2, 3, 11, 11), (4, 3, 5, 6), strides=[3, 3], pads=[1, 2, 1, 2], name="5x6 stride 3")
conv((2, 3, 8, 8), (4, 3, 4, 4), strides=[4, 4], name="patches")
conv((2, 3, 9, 11), (4, 3, 2, 2), strides=[3, 3], name="kernel below stride")
conv((2, 4, 7, 8), (4, 1, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], group=4,
    name="depthwise stride 2")
conv((2, 4, 7, 8), (4, 1, 5, 5), strides=[2, 2], pads=[1, 1, 2, 2], group=4,
    name="depthwise 5x5 stride 2, asymmetric")
conv((2, 4, 9, 8), (6, 2, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], group=2, name="groups stride 2")
conv((2, 3, 9, 8), (4, 3, 3, 3), strides=[2, 1], pads=[1, 1, 1, 1], dilations=[1, 2],
    name="uneven strides, dilation")
conv((2, 3, 9, 9), (4, 3, 3, 3), strides=[2, 2], pads=[2, 2, 2, 2], dilations=[2, 2],
    name="stride 2, dilation 2")
conv((2, 3, 9), (4, 3, 3), pads=[1, 1], name="1d")
conv((2, 3, 9), (4, 3, 3), strides=[2], pads=[1, 0], name="1d stride 2")
conv((1, 2, 4, 5, 4), (3, 2, 3, 3, 3), strides=[1, 2, 1], pads=[1] * 6, name="3d")


def transposed(size, weights, strides, pads=None, output_padding=None, dilations=None, group=1,
    bias=False, name=None):
    rank = len(size) - 2
    p, d, extra = pads or [0] * (2 * rank), dilations or [1] * rank, output_padding or [0] * rank
    attributes = {"kernel_shape": list(weights[2:]), "strides": strides, "group": group,
        "dilations": d}
    if pads:
        attributes["pads"] = pads
    if output_padding:
        attributes["output_padding"] = output_padding
    crop = [-v for i in reversed(range(rank)) for v in (p[i], p[i + rank])]
    function = {1: F.conv_transpose1d, 2: F.conv_transpose2d}[rank]

    def forward(v, k, b=None):
        whole = F.pad(function(v, k, None, strides, 0, 0, group, d),
            [e for i in reversed(range(rank)) for e in (0, extra[i])])
        y = F.pad(whole, crop)
        return y if b is None else y + b.reshape(1, -1, *[1] * rank)

    inputs = [x(*size), w(*weights)] + ([x(weights[1] * group)] if bias else [])
    case("convolution", "ConvTranspose", [9, 13], inputs, forward, attributes, name=name)


transposed((2, 3, 4, 5), (3, 4, 3, 3), [2, 2], pads=[1, 1, 1, 1], output_padding=[1, 0], bias=True,
    name="stride 2, output padding")
transposed((2, 4, 4, 4), (4, 2, 3, 3), [1, 2], pads=[0, 1, 2, 0], group=2,
    name="groups, asymmetric")
transposed((2, 3, 4, 4), (3, 2, 2, 2), [2, 2], dilations=[2, 2], name="dilation")
transposed((2, 3, 5), (3, 2, 4), [3], name="1d")

# --- pooling


def max_pool(size, kernel, strides, pads=None, dilations=None, ceil=False, tied=False,
    opsets=(9, 12, 13, 16, 22), name=None):
    rank = len(kernel)
    p, d = pads or [0] * (2 * rank), dilations or [1] * rank
    flat = [v for i in reversed(range(rank)) for v in (p[i], p[i + rank])]
    attributes = {"kernel_shape": kernel, "strides": strides}
    if pads:
        attributes["pads"] = pads
    if dilations:
        attributes["dilations"] = d
    if ceil:
        attributes["ceil_mode"] = 1
    data = torch.randint(0, 3, size, generator=generator).double() if tied else distinct(*size)
    function = {1: F.max_pool1d, 2: F.max_pool2d}[rank]
    forward = lambda v: function(F.pad(v, flat, value=-math.inf), kernel, strides, 0, d,
        ceil_mode=ceil)
    case("pooling", "MaxPool", [v for v in opsets if v >= 10 or not (ceil or dilations)], [data],
        forward, attributes, smooth=not tied, name=name)


max_pool((2, 3, 6, 6), [2, 2], [2, 2], name="2x2")
max_pool((2, 3, 7, 6), [3, 3], [2, 2], pads=[1, 1, 1, 1], name="3x3 stride 2, padded")
max_pool((2, 3, 7, 8), [3, 3], [2, 2], pads=[1, 1, 1, 1], tied=True, name="ties")
max_pool((2, 2, 6, 6), [3, 3], [1, 1], pads=[1, 1, 1, 1], tied=True, name="stride 1, ties")
max_pool((2, 2, 7, 8), [3, 3], [2, 2], ceil=True, name="ceil")
max_pool((2, 2, 8, 8), [3, 2], [2, 3], pads=[1, 0, 0, 1], name="uneven")
max_pool((2, 2, 9, 8), [2, 3], [2, 1], dilations=[2, 2], name="dilation")
max_pool((2, 2, 8, 8), [2, 2], [3, 3], name="stride over kernel")
max_pool((2, 2, 9), [3], [2], pads=[1, 1], name="1d")


def average_pool(size, kernel, strides, pads=None, include=False, ceil=False, name=None):
    rank = len(kernel)
    p = pads or [0] * (2 * rank)
    flat = [v for i in reversed(range(rank)) for v in (p[i], p[i + rank])]
    attributes = {"kernel_shape": kernel, "strides": strides, "count_include_pad": int(include)}
    if pads:
        attributes["pads"] = pads
    if ceil:
        attributes["ceil_mode"] = 1

    def forward(v):
        ones = torch.ones_like(v)
        count = F.pad(ones, flat, value=1.0 if include else 0.0)
        overhang = [0, 0] * rank
        if ceil:
            for i in range(rank):
                length = v.shape[2 + i] + p[i] + p[i + rank]
                n = math.ceil((length - kernel[i]) / strides[i]) + 1
                if (n - 1) * strides[i] >= v.shape[2 + i] + p[i]:
                    n -= 1
                overhang[2 * (rank - 1 - i) + 1] = max(0, (n - 1) * strides[i] + kernel[i] - length)
        weights = torch.ones(v.shape[1], 1, *kernel, dtype=v.dtype)
        function = {1: F.conv1d, 2: F.conv2d}[rank]
        total = function(F.pad(F.pad(v, flat), overhang), weights, stride=strides,
            groups=v.shape[1])
        return total / function(F.pad(count, overhang), weights, stride=strides, groups=v.shape[1])

    case("pooling", "AveragePool", [19] if ceil else [9, 13], [x(*size)], forward, attributes,
        name=name)


average_pool((2, 3, 6, 6), [2, 2], [2, 2], name="2x2")
average_pool((2, 3, 6, 5), [3, 3], [1, 1], pads=[1, 1, 1, 1], include=True,
    name="stride 1, padding counts")
average_pool((2, 3, 6, 5), [3, 3], [1, 1], pads=[1, 1, 1, 1],
    name="stride 1, padding does not count")
average_pool((2, 3, 7, 8), [3, 3], [2, 2], pads=[1, 1, 0, 1], include=True,
    name="asymmetric, padding counts")
average_pool((2, 3, 7, 8), [3, 3], [2, 2], pads=[1, 1, 1, 1],
    name="stride 2, padding does not count")
average_pool((2, 3, 7, 8), [3, 2], [2, 2], ceil=True, name="ceil")
average_pool((2, 3, 8, 7), [2, 2], [3, 3], name="stride over kernel")
average_pool((2, 3, 9), [3], [2], name="1d")
case("pooling", "GlobalAveragePool", [9, 13], [x(2, 3, 4, 5)],
    lambda v: v.mean((2, 3), keepdim=True))
case("pooling", "GlobalMaxPool", [9, 13], [distinct(2, 3, 4, 5)],
    lambda v: v.amax((2, 3), keepdim=True))
case("pooling", "GlobalLpPool", [9], [x(2, 3, 4, 5)],
    lambda v: v.abs().pow(3).sum((2, 3), keepdim=True).pow(1 / 3), {"p": 3})
case("pooling", "LpPool", [11], [x(2, 3, 6, 6)], lambda v: F.lp_pool2d(v.abs(), 2.0, 3, 2),
    {"p": 2, "kernel_shape": [3, 3], "strides": [2, 2]})

# --- activation


def unary(family, op, opsets, function, attributes=None, low=-2.0, high=2.0, domain="", name=None):
    case(family, op, opsets, [x(2, 3, 5, low=low, high=high)], function, attributes, domain=domain,
        name=name)


def floats(**values):
    return {key: {"float": value} for key, value in values.items()}


unary("activation", "Relu", [9, 13, 14], F.relu)
unary("activation", "Clip", [9], lambda v: F.hardtanh(v, -0.5, 1.25), floats(min=-0.5, max=1.25))
unary("activation", "Clip", [9], lambda v: v.clamp(min=-0.5), floats(min=-0.5), name="min only")
case("activation", "Clip", [11, 13], [x(2, 3, 5), Constant(-0.5), Constant(1.25)],
    lambda v, a, b: F.hardtanh(v, -0.5, 1.25))
case("activation", "Clip", [11, 13], [x(2, 3, 5), None, Constant(0.75)],
    lambda v, a, b: v.clamp(max=0.75), name="max only")
case("activation", "Clip", [13], [torch.tensor([[-1.0, 0.0, 0.5, 6.0, 7.0]]).double(),
    Constant(0.0), Constant(6.0)], lambda v, a, b: F.relu6(v), smooth=False, name="at the edges")
unary("activation", "LeakyRelu", [9, 16], lambda v: F.leaky_relu(v, 0.1), floats(alpha=0.1))
case("activation", "PRelu", [9, 16], [x(2, 3, 4), x(3, 1)],
    lambda v, a: torch.where(v > 0, v, v * a))
unary("activation", "Elu", [9], lambda v: F.elu(v, 1.5), floats(alpha=1.5))
unary("activation", "Selu", [9], F.selu)
unary("activation", "Celu", [12], lambda v: F.celu(v, 1.5), floats(alpha=1.5))
unary("activation", "ThresholdedRelu", [10], lambda v: torch.where(v > 0.7, v, 0 * v),
    floats(alpha=0.7))
unary("activation", "Shrink", [9], lambda v: torch.where(v > 0.6, v - 0.2,
    torch.where(v < -0.6, v + 0.2, 0 * v)), floats(lambd=0.6, bias=0.2))
unary("activation", "Sigmoid", [9, 13], torch.sigmoid)
unary("activation", "HardSigmoid", [9], lambda v: (v * 0.4 + 0.3).clamp(0, 1),
    floats(alpha=0.4, beta=0.3))
unary("activation", "HardSwish", [14], F.hardswish, low=-5.0, high=5.0)
unary("activation", "Mish", [18], F.mish)
unary("activation", "Softplus", [9], F.softplus)
unary("activation", "Softsign", [9], F.softsign)
unary("activation", "Tanh", [9, 13], torch.tanh)
unary("activation", "Gelu", [20], F.gelu)
unary("activation", "Gelu", [20], lambda v: F.gelu(v, approximate="tanh"), {"approximate": "tanh"},
    name="tanh")
unary("activation", "Gelu", [13], F.gelu, domain="com.microsoft")
unary("activation", "QuickGelu", [13], lambda v: v * torch.sigmoid(1.702 * v), floats(alpha=1.702),
    domain="com.microsoft")
case("activation", "BiasGelu", [13], [x(2, 3, 5), x(5)], lambda v, b: F.gelu(v + b),
    domain="com.microsoft")
case("activation", "FastGelu", [13], [x(2, 3, 5), x(5)],
    lambda v, b: F.gelu(v + b, approximate="tanh"), domain="com.microsoft")
unary("activation", "FastGelu", [13], lambda v: F.gelu(v, approximate="tanh"),
    domain="com.microsoft", name="without bias")
unary("activation", "Swish", [24], lambda v: v * torch.sigmoid(1.5 * v), floats(alpha=1.5))
unary("activation", "Softmax", [13], lambda v: v.softmax(-1))
unary("activation", "Softmax", [13], lambda v: v.softmax(1), {"axis": 1}, name="inner axis")
unary("activation", "Softmax", [9, 11], lambda v: v.flatten(1).softmax(-1).reshape(v.shape),
    {"axis": 1}, name="flattened from the axis on")
unary("activation", "LogSoftmax", [13], lambda v: v.log_softmax(-1))
unary("activation", "LogSoftmax", [9], lambda v: v.flatten(1).log_softmax(-1).reshape(v.shape),
    {"axis": 1}, name="flattened from the axis on")

# --- elementwise

for a, b, name in [((2, 3, 4), (2, 3, 4), "same shape"), ((2, 3, 4), (4,), "vector"),
    ((2, 1, 4), (2, 3, 1), "both ways"), ((2, 3), (), "scalar")]:
    for op, function in [("Add", torch.add), ("Sub", torch.sub), ("Mul", torch.mul)]:
        case("elementwise", op, [9, 14], [x(*a), x(*b)], function, name=name)
    case("elementwise", "Div", [9, 14], [x(*a), x(*b, low=0.5)], torch.div, name=name)
    for op, function in [("Max", torch.maximum), ("Min", torch.minimum)]:
        case("elementwise", op, [9, 13], [x(*a), x(*b)], function, smooth=False, name=name)
case("elementwise", "Max", [13], [torch.tensor([[1.0, 2.0, 3.0]]).double(),
    torch.tensor([[1.0, 1.0, 4.0]]).double()], torch.maximum, smooth=False, name="ties")
case("elementwise", "Pow", [9, 13], [x(2, 3, low=0.3), x(2, 3)], torch.pow)
for exponent in (2.0, 3.0, 0.5, -1.0):
    case("elementwise", "Pow", [9, 13], [x(2, 5, low=0.3), Constant(exponent)], torch.pow,
        name=f"exponent {exponent}")
case("elementwise", "Pow", [13], [x(2, 5), Constant(2.0)], torch.pow,
    name="square of negative numbers")
case("elementwise", "Sum", [9, 13], [x(2, 3), x(3), x(2, 1)], lambda a, b, c: a + b + c)
case("elementwise", "Mean", [9, 13], [x(2, 3), x(3), x(2, 1)], lambda a, b, c: (a + b + c) / 3)
case("elementwise", "Mod", [13], [x(2, 5, low=0.0), x(2, 5, low=0.3)], torch.fmod, {"fmod": 1})
case("elementwise", "Where", [9, 16], [bools(torch.tensor(
    [[True, False, True], [False, False, True]])), x(2, 3), x(3)],
    lambda c, a, b: torch.where(c.bool(), a, b), batch=False)
for op, function, low, high in [
    ("Neg", torch.neg, -2, 2), ("Abs", torch.abs, -2, 2), ("Sqrt", torch.sqrt, 0.3, 3),
    ("Exp", torch.exp, -2, 2), ("Log", torch.log, 0.3, 3),
    ("Reciprocal", torch.reciprocal, 0.4, 2), ("Erf", torch.erf, -2, 2), ("Sin", torch.sin, -2, 2),
    ("Cos", torch.cos, -2, 2), ("Tan", torch.tan, -1, 1),
    ("Asin", torch.asin, -0.8, 0.8), ("Acos", torch.acos, -0.8, 0.8), ("Atan", torch.atan, -2, 2),
    ("Sinh", torch.sinh, -2, 2), ("Cosh", torch.cosh, -2, 2),
    ("Asinh", torch.asinh, -2, 2), ("Acosh", torch.acosh, 1.3, 3),
    ("Atanh", torch.atanh, -0.8, 0.8),
]:
    unary("elementwise", op, [9, 13], function, low=low, high=high)
case("elementwise", "Cast", [9, 13], [x(2, 3)], lambda v: v * 1, {"to": 1})
case("elementwise", "CastLike", [15], [x(2, 3), Constant(1.0)], lambda v, _: v * 1)

# --- linalg

for a, b in [((2, 3), (3, 4)), ((2, 5, 3), (3, 4)), ((2, 5, 3, 4), (2, 5, 4, 2)),
    ((2, 1, 3, 4), (5, 4, 2)), ((3,), (2, 3, 4)), ((2, 4, 3), (3,)), ((3,), (3,))]:
    case("linalg", "MatMul", [9, 13], [x(*a), x(*b)], torch.matmul, batch=len(a) > 1,
        name=f"{a} {b}")
for ta in (0, 1):
    for tb in (0, 1):
        inputs = [x(*((3, 2) if ta else (2, 3))), x(*((4, 3) if tb else (3, 4))), x(4)]
        forward = lambda a, b, c, ta=ta, tb=tb: 0.5 * (a.T if ta else a) @ (b.T
            if tb else b) + 1.5 * c
        case("linalg", "Gemm", [9, 11, 13], inputs, forward,
            {"transA": ta, "transB": tb, **floats(alpha=0.5, beta=1.5)}, batch=False,
            name=f"transA={ta} transB={tb}")
case("linalg", "Gemm", [9, 13], [x(2, 3), w(4, 3), w(4)], lambda a, b, c: a @ b.T + c,
    {"transB": 1}, name="linear layer")
for equation, shapes in [
    ("bhij,bhjd->bhid", [(2, 2, 3, 4), (2, 2, 4, 2)]), ("bij,bkj->bik", [(2, 3, 4), (2, 5, 4)]),
    ("i,j->ij", [(3,), (4,)]), ("bij,jk->bk", [(2, 3, 4), (4, 2)]),
    ("bij->bji", [(2, 3, 4)]), ("bij->b", [(2, 3, 4)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 2)]), ("ij,jk", [(2, 3), (3, 4)]),
    ("bi,bj,ij->b", [(2, 3), (2, 4), (3, 4)]),
]:
    case("linalg", "Einsum", [12], [x(*shape) for shape in shapes],
        lambda *v, e=equation: torch.einsum(e, *v), {"equation": equation}, batch=False,
        name=equation)

# --- normalization

case("normalization", "BatchNormalization", [9, 14, 15],
    [x(2, 3, 4, 4), w(3), w(3), w(3), Constant(x(3, low=0.5))],
     lambda v, g, b, m, s: F.batch_norm(v, m, s, g, b, False, 0.1, 1e-3), floats(epsilon=1e-3))
for axis, shape in ((-1, (5,)), (1, (3, 5)), (2, (5,))):
    case("normalization", "LayerNormalization", [14, 17], [x(2, 3, 5), w(*shape), w(*shape)],
        lambda v, g, b, s=shape: F.layer_norm(v, s, g, b, 1e-5),
        {"axis": axis, **floats(epsilon=1e-5)}, name=f"axis {axis}")
case("normalization", "LayerNormalization", [17], [x(2, 3, 5), w(5)],
    lambda v, g: F.layer_norm(v, (5,), g, None, 1e-5), name="without bias")
case("normalization", "InstanceNormalization", [9], [x(2, 3, 4, 5), w(3), w(3)],
    lambda v, g, b: F.instance_norm(v, None, None, g, b, eps=1e-5))
case("normalization", "GroupNormalization", [21], [x(2, 6, 4, 5), w(6), w(6)],
    lambda v, g, b: F.group_norm(v, 3, g, b, 1e-5), {"num_groups": 3})
case("normalization", "GroupNormalization", [18], [x(2, 6, 4, 5), w(3), w(3)],
    lambda v, g, b: F.group_norm(v, 3, g.repeat_interleave(2), b.repeat_interleave(2), 1e-5),
    {"num_groups": 3}, latest=False, name="a scale for each group")
for size in (3, 5):
    case("normalization", "LRN", [9, 13], [x(2, 7, 3, 3)],
        lambda v, n=size: F.local_response_norm(v, n, 0.2, 0.75, 2.0),
        {"size": size, **floats(alpha=0.2, beta=0.75, bias=2.0)}, name=f"size {size}")
for p in (1, 2):
    case("normalization", "LpNormalization", [9], [x(2, 5)],
        lambda v, n=p: v / v.norm(n, 1, keepdim=True), {"axis": 1, "p": p}, name=f"p={p}")
case("normalization", "MeanVarianceNormalization", [13], [x(2, 3, 4, 4)],
    lambda v: (v - v.mean((0, 2, 3), keepdim=True)) / (
        v.var((0, 2, 3), unbiased=False, keepdim=True).sqrt() + 1e-9))
case("normalization", "SimplifiedLayerNormalization", [13], [x(2, 3, 5), w(5)],
    lambda v, g: v * (v.pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt() * g,
    {"axis": -1, **floats(epsilon=1e-5)})

case("normalization", "RMSNormalization", [23], [x(2, 3, 5), w(5)],
    lambda v, g: v * (v.pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt() * g,
    {"axis": -1, **floats(epsilon=1e-5)})

# --- reduction

reductions = {
    "ReduceSum": (torch.sum, 13), "ReduceMean": (torch.mean, 18), "ReduceMax": (torch.amax, 18),
    "ReduceMin": (torch.amin, 18),
    "ReduceL1": (lambda v, a, keepdim: v.abs().sum(a, keepdim), 18),
    "ReduceL2": (lambda v, a, keepdim: v.pow(2).sum(a, keepdim).sqrt(), 18),
    "ReduceSumSquare": (lambda v, a, keepdim: v.pow(2).sum(a, keepdim), 18),
    "ReduceLogSum": (lambda v, a, keepdim: v.sum(a, keepdim).log(), 18),
    "ReduceLogSumExp": (torch.logsumexp, 18),
    "ReduceProd": (lambda v, a, keepdim: v.flatten(-len(a)).prod(-1).reshape(*v.shape[: -len(a)],
        *([1] * len(a) if keepdim else [])), 18),
}
for op, (function, by_input) in reductions.items():
    make = (lambda: x(2, 3, 4, low=0.3)) if op == "ReduceLogSum" else (lambda: distinct(2, 3, 4))
    for axes, keep in (((1, 2), True), ((2,), False), ((-1,), True)):
        forward = lambda v, *_, a=axes, k=keep: function(v, a, keepdim=k)
        case("reduction", op, [9, 11], [make()], forward,
            {"axes": list(axes), "keepdims": int(keep)}, name=f"axes {axes} keepdims {keep}")
        case("reduction", op, [by_input], [make(), ints(*axes)], forward, {"keepdims": int(keep)},
            name=f"axes {axes} keepdims {keep}")
case("reduction", "ReduceSum", [13], [x(2, 3)], lambda v: v.sum(), {"keepdims": 0}, name="all axes")
case("reduction", "ReduceMean", [9, 18], [x(2, 3)], lambda v: v.mean().reshape(1, 1),
    name="all axes")
case("reduction", "ReduceMax", [9], [torch.tensor([[1.0, 3.0, 3.0]]).double()],
    lambda v: v.amax(1, keepdim=True), {"axes": [1]}, smooth=False, name="ties")
case("reduction", "ReduceProd", [9], [torch.tensor([[2.0, 0.0, 3.0], [0.0, 0.0, 3.0]]).double()],
    lambda v: v.prod(1, keepdim=True), {"axes": [1]}, name="zeros")
case("reduction", "TopK", [11], [distinct(2, 6), ints(3)], lambda v, _: v.topk(3).values,
    {"axis": -1}, outputs=2)

# --- movement

case("movement", "Identity", [9, 16], [x(2, 3)], lambda v: v * 1)
case("movement", "Dropout", [9, 13], [x(2, 3)], lambda v: v * 1)
case("movement", "Transpose", [9, 13], [x(2, 3, 4)], lambda v: v.permute(1, 2, 0),
    {"perm": [1, 2, 0]})
case("movement", "Transpose", [9], [x(2, 3, 4)], lambda v: v.permute(2, 1, 0), name="reverse")
case("movement", "Reshape", [9, 14], [x(2, 3, 4), ints(0, -1, 2)], lambda v, _: v.reshape(2, 6, 2))
case("movement", "Reshape", [9, 14], [x(2, 3, 4), ints(-1, 4)], lambda v, _: v.reshape(6, 4),
    name="into the batch")
case("movement", "Flatten", [9, 13], [x(2, 3, 4)], lambda v: v.flatten(1))
case("movement", "Flatten", [9], [x(2, 3, 4)], lambda v: v.reshape(6, 4), {"axis": 2},
    name="axis 2")
case("movement", "Squeeze", [9, 11], [x(2, 1, 3, 1)], lambda v: v.squeeze(3).squeeze(1),
    {"axes": [1, 3]})
case("movement", "Squeeze", [13], [x(2, 1, 3, 1), ints(1, -1)],
    lambda v, _: v.squeeze(3).squeeze(1))
case("movement", "Unsqueeze", [9, 11], [x(2, 3)], lambda v: v[:, None, :, None], {"axes": [1, 3]})
case("movement", "Unsqueeze", [13], [x(2, 3), ints(1, -1)], lambda v, _: v[:, None, :, None])
case("movement", "Expand", [9, 13], [x(2, 1, 4), ints(2, 3, 4)], lambda v, _: v.expand(2, 3, 4),
    batch=False)
case("movement", "Expand", [13], [x(3, 1), ints(2, 1, 4)], lambda v, _: v.expand(2, 3, 4),
    batch=False, name="a leading axis more")
case("movement", "Tile", [9, 13], [x(2, 3, 2), ints(1, 2, 3)], lambda v, _: v.repeat(1, 2, 3))
case("movement", "Concat", [9, 13], [x(2, 3, 2), w(2, 1, 2), x(2, 2, 2)],
    lambda *v: torch.cat(v, 1), {"axis": 1}, batch=False)
case("movement", "Concat", [11], [x(2, 3), x(2, 2)], lambda *v: torch.cat(v, -1), {"axis": -1},
    name="last axis")
case("movement", "Split", [9, 11], [x(2, 6, 2)], lambda v: v[:, :2],
    {"axis": 1, "split": [2, 1, 3]}, outputs=3)
case("movement", "Split", [13], [x(2, 6, 2), ints(2, 1, 3)], lambda v, _: v[:, :2], {"axis": 1},
    outputs=3)
case("movement", "Split", [18], [x(2, 6, 2)], lambda v: v[:, :3], {"axis": 1, "num_outputs": 2},
    outputs=2)
for mode in ("constant", "reflect", "edge"):
    torch_mode = {"edge": "replicate"}.get(mode, mode)
    forward = lambda v, *_, m=torch_mode: F.pad(v, (1, 2, 2, 0), m)
    case("movement", "Pad", [9], [x(2, 3, 4, 5)], forward,
        {"mode": mode, "pads": [0, 0, 2, 1, 0, 0, 0, 2]}, name=mode)
    case("movement", "Pad", [11, 13], [x(2, 3, 4, 5), ints(0, 0, 2, 1, 0, 0, 0, 2)], forward,
        {"mode": mode}, name=mode)
case("movement", "Pad", [11], [x(2, 3, 4, 5), ints(0, 0, -1, 1, 0, 0, 2, -2)],
    lambda v, _: F.pad(v, (1, -2, -1, 2)), name="negative")
case("movement", "Pad", [18], [x(2, 3, 4, 5), ints(1, 2), None, ints(-1)],
    lambda v, *_: F.pad(v, (1, 2)), name="axes")
case("movement", "DepthToSpace", [9, 13], [x(2, 12, 2, 3)],
    lambda v: v.reshape(2, 2, 2, 3, 2, 3).permute(0, 3, 4, 1, 5, 2).reshape(2, 3, 4, 6),
    {"blocksize": 2})
case("movement", "DepthToSpace", [11, 13], [x(2, 12, 2, 3)], lambda v: F.pixel_shuffle(v, 2),
    {"blocksize": 2, "mode": "CRD"}, name="CRD")
case("movement", "SpaceToDepth", [9, 13], [x(2, 3, 4, 6)],
    lambda v: v.reshape(2, 3, 2, 2, 3, 2).permute(0, 3, 5, 1, 2, 4).reshape(2, 12, 2, 3),
    {"blocksize": 2})
case("movement", "Trilu", [14], [x(2, 4, 4)], lambda v: v.triu())
case("movement", "Trilu", [14], [x(2, 4, 4), ints(1, shape=())], lambda v, _: v.tril(1),
    {"upper": 0}, name="lower")
case("movement", "ReverseSequence", [10], [x(4, 2, 3), ints(3, 2)],
    lambda v, _: torch.stack([torch.cat([v[:3, 0].flip(0), v[3:, 0]]),
        torch.cat([v[:2, 1].flip(0), v[2:, 1]])], 1), batch=False)
case("movement", "CumSum", [11, 14], [x(2, 5), ints(1, shape=())], lambda v, _: v.cumsum(1))
case("movement", "CumSum", [14], [x(2, 5), ints(1, shape=())],
    lambda v, _: v.flip(1).cumsum(1).flip(1) - v, {"reverse": 1, "exclusive": 1},
    name="reverse, exclusive")


def resize(opsets, inputs, target, mode, attributes, name, **options):
    case("movement", "Resize", opsets, [x(2, 2, 4, 5), *inputs],
        lambda v, *_: F.interpolate(v, size=target, mode=mode, **options), attributes,
        batch=len(inputs) < 3, name=name)


EMPTY = Constant(torch.zeros(0))


def scales(h, w_):
    return Constant([1.0, 1.0, h, w_])


resize([11, 13], [EMPTY, scales(2.0, 2.0)], (8, 10), "nearest",
    {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "nearest")
resize([10], [scales(2.0, 2.0)], (8, 10), "nearest", {"mode": "nearest"}, "nearest, opset 10")
resize([11, 13], [EMPTY, scales(2.0, 2.0)], (8, 10), "bilinear",
    {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}, "linear",
    align_corners=False)
resize([11, 13], [EMPTY, EMPTY, ints(2, 2, 7, 8)], (7, 8), "bilinear",
    {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}, "linear by sizes",
    align_corners=False)
resize([11, 13], [EMPTY, EMPTY, ints(2, 2, 7, 3)], (7, 3), "bilinear",
    {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    "linear, corners aligned", align_corners=True)
resize([11, 13], [EMPTY, EMPTY, ints(2, 2, 8, 10)], (8, 10), "bicubic",
    {"mode": "cubic", "coordinate_transformation_mode": "half_pixel"}, "cubic", align_corners=False)
resize([18], [None, None, ints(2, 2, 2, 3)], (2, 3), "bilinear",
    {"mode": "linear", "antialias": 1, "exclude_outside": 1,
        "coordinate_transformation_mode": "half_pixel"}, "antialias", align_corners=False,
        antialias=True)
case("movement", "Upsample", [9], [x(2, 2, 3, 4), scales(2.0, 3.0)],
    lambda v, _: F.interpolate(v, size=(6, 12), mode="nearest"), {"mode": "nearest"})

# --- indexing

case("indexing", "Slice", [9], [x(2, 5, 6)], lambda v: v[:, 1:4, 2:],
    {"axes": [1, 2], "starts": [1, 2], "ends": [4, 9999]})
case("indexing", "Slice", [10, 13], [x(2, 5, 6), ints(1, -4), ints(4, -1), ints(1, 2)],
    lambda v, *_: v[:, 1:4, -4:-1])
case("indexing", "Slice", [10, 13], [x(2, 7, 6), ints(1, 0), ints(7, 9223372036854774784),
    ints(1, 2), ints(3, 2)], lambda v, *_: v[:, 1:7:3, ::2], name="steps")
case("indexing", "Slice", [10, 13], [x(2, 7), ints(5), ints(0), ints(1), ints(-2)],
    lambda v, *_: v[:, [5, 3, 1]], name="backwards")
case("indexing", "Slice", [13], [x(2, 7), ints(-1), ints(-9223372036854775807), ints(1), ints(-1)],
    lambda v, *_: v.flip(1), name="reverse")
case("indexing", "Gather", [9, 13], [x(2, 5, 3), ints(2, shape=())], lambda v, _: v[:, 2],
    {"axis": 1}, name="scalar")
case("indexing", "Gather", [9, 13], [x(2, 5, 3), ints(1, 2, 3)], lambda v, _: v[:, 1:4],
    {"axis": 1}, name="consecutive")
case("indexing", "Gather", [11, 13], [x(2, 5, 3), ints(4, 0, 4, -2)],
    lambda v, _: v[:, [4, 0, 4, 3]], {"axis": 1}, name="repeated and negative")
case("indexing", "Gather", [13], [x(5, 3), ints(4, 0, 1, 1, shape=(2, 2))], lambda v, i: v[i],
    batch=False, name="matrix of indices")
case("indexing", "Gather", [13], [x(2, 3, 5), ints(4, 0, 1, 1, shape=(2, 2))],
    lambda v, i: v[:, :, i], {"axis": -1}, name="matrix of indices, last axis")
case("indexing", "GatherElements", [13, 16], [x(2, 4), ints(1, 1, 3, 0, 2, 2, shape=(2, 3))],
    lambda v, i: v.gather(1, i), {"axis": 1}, batch=False)
case("indexing", "GatherND", [13, 16], [x(3, 4, 2), ints(0, 1, 2, 2, 0, 1, shape=(3, 2))],
    lambda v, i: v[i[:, 0], i[:, 1]], batch=False)
case("indexing", "ScatterElements", [11, 16], [x(2, 4), ints(1, 3, 0, 2, shape=(2, 2)), x(2, 2)],
    lambda v, i, u: v.scatter(1, i, u), {"axis": 1}, batch=False)
case("indexing", "ScatterElements", [16], [x(2, 4), ints(1, 1, 0, 2, shape=(2, 2)), x(2, 2)],
    lambda v, i, u: v.scatter_add(1, i, u), {"axis": 1, "reduction": "add"}, batch=False,
    name="add")
case("indexing", "ScatterND", [11, 16], [x(4, 3), ints(3, 1, shape=(2, 1)), x(2, 3)],
    lambda v, i, u: v.index_put((i[:, 0],), u), batch=False)

# --- fused operators, which Fovea first decomposes into plain operators

M = "com.microsoft"
for activation, function, params in [("Relu", F.relu, None),
    ("Clip", lambda v: v.clamp(0, 1.5), [0.0, 1.5]),
    ("LeakyRelu", lambda v: F.leaky_relu(v, 0.2), [0.2]), ("Sigmoid", torch.sigmoid, None)]:
    extra = {"activation_params": {"floats": params}} if params else {}
    case("fused", "FusedConv", [13], [x(2, 3, 5, 5), w(4, 3, 3, 3), w(4)],
        lambda v, k, b, f=function: f(F.conv2d(v, k, b, 1, 1)),
         {"activation": activation, "pads": [1, 1, 1, 1], "kernel_shape": [3, 3], **extra},
         smooth=False, domain=M, name=activation)
case("fused", "FusedGemm", [13], [x(2, 3), w(4, 3), w(4)], lambda a, b, c: F.relu(a @ b.T + c),
    {"transB": 1, "activation": "Relu"}, domain=M)
case("fused", "FusedMatMul", [13], [x(2, 3, 4), x(2, 5, 4)],
    lambda a, b: 0.5 * a @ b.transpose(1, 2), {"transB": 1, **floats(alpha=0.5)}, domain=M)
case("fused", "SkipLayerNormalization", [13], [x(2, 3, 8), x(2, 3, 8), w(8), w(8), w(8)],
    lambda a, s, g, b, c: F.layer_norm(a + s + c, (8,), g, b, 1e-5), floats(epsilon=1e-5), domain=M)


def heads(v, n):
    return v.reshape(v.shape[0], v.shape[1], n, -1).transpose(1, 2)


def attend(q, k, v, n, scale=None, bias=0):
    q, k, v = heads(q, n), heads(k, n), heads(v, n)
    y = ((q @ k.transpose(2, 3)) * (scale or q.shape[-1] ** -0.5) + bias).softmax(-1) @ v
    return y.transpose(1, 2).flatten(2)


case("fused", "Attention", [13], [x(2, 4, 6), w(6, 24), w(24)],
    lambda v, k, b: attend(*(v @ k + b).split(8, -1), 2), {"num_heads": 2}, domain=M)
case("fused", "MultiHeadAttention", [13], [x(2, 3, 8), x(2, 4, 8), x(2, 4, 8)],
    lambda q, k, v: attend(q, k, v, 2), {"num_heads": 2}, domain=M)

case("fused", "SkipSimplifiedLayerNormalization", [13], [x(2, 3, 8), x(2, 3, 8), w(8)],
    lambda a, s, g: (a + s) * ((a + s).pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt() * g,
    floats(epsilon=1e-5), domain=M)
case("fused", "TransposeMatMul", [13], [x(2, 4, 3), x(2, 4, 5)], lambda a, b: a.transpose(1, 2) @ b,
    {"transA": 1}, domain=M)
case("fused", "Attention", [23], [x(2, 2, 3, 4), x(2, 2, 5, 4), x(2, 2, 5, 4)],
    lambda q, k, v: (q @ k.transpose(2, 3) / 2).softmax(-1) @ v, name="[N, heads, L, size]")
case("fused", "Attention", [23], [x(2, 3, 8), x(2, 5, 8), x(2, 5, 8)],
    lambda q, k, v: attend(q, k, v, 2), {"q_num_heads": 2, "kv_num_heads": 2},
    name="[N, L, heads * size]")

# Convolutions with many channels, for which Fovea emits other forms of the gradient. They come
# last, so that the random numbers of all other cases stay the same.
conv((2, 16, 7, 8), (4, 16, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1],
    name="16 channels, 3x3 stride 2, even and uneven size")
conv((1, 16, 8, 7), (2, 16, 3, 3), strides=[2, 2], pads=[0, 2, 1, 0],
    name="16 channels, stride 2, asymmetric pads")
conv((1, 16, 9, 8), (2, 16, 4, 3), strides=[3, 3], pads=[3, 3, 0, 4],
    name="16 channels, stride 3, pads as long as the kernel")
conv((1, 32, 5, 6), (4, 16, 2, 2), strides=[2, 2], group=2,
    name="16 channels in a group, 2x2 stride 2")
conv((1, 2, 9, 8), (3, 2, 7, 7), strides=[2, 2], pads=[0, 6, 7, 1],
    name="7x7 stride 2, pads as long as the kernel")

FOLDER.mkdir(parents=True, exist_ok=True)
for family, cases in families.items():
    lines = ",\n".join(json.dumps(item) for item in cases)
    (FOLDER / f"{family}.json").write_text(f"[\n{lines}\n]\n")
    print(family, len(cases), (FOLDER / f"{family}.json").stat().st_size)
