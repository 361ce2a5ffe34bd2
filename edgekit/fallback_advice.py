"""Why a delegate does not take an op, and what to change so that it does: one table, by delegate, op and kernel.

Where the runtime tells the reason itself (`PlacedOp.why`), that is what is shown; the table still says what to do. A rule's
reason is stated only as far as it follows from the op and the types of its kernel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.protocols import PlacedOp


@dataclass(frozen=True, slots=True)
class Advice:
    """A reason, "" where none is known, and what to do about it."""

    why: str
    suggestion: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Advice for ops that match all patterns; ``told`` is matched with the runtime's own reason."""

    advice: Advice
    delegate: str = ""
    op: str = ""
    kernel: str = ""
    told: str = ""

    def fits(self, op: PlacedOp, delegates: Sequence[str]) -> bool:
        pairs = ((self.op, op.op), (self.kernel, op.kernel), (self.told, op.why))
        return all(_found(pattern, text) for pattern, text in pairs) and (
            not self.delegate or any(_found(self.delegate, name) for name in delegates)
        )


def advise(op: PlacedOp, delegates: Sequence[str]) -> Advice:
    """The first rule that fits; there is one for every op."""
    if not delegates:
        return NO_DELEGATE
    return next((rule.advice for rule in RULES if rule.fits(op, delegates)), UNKNOWN)


def _found(pattern: str, text: str) -> bool:
    return not pattern or re.search(pattern, text, re.IGNORECASE) is not None


NO_DELEGATE = Advice(
    "no delegate was asked for", "name one with --delegate; edgekit runtimes lists what can be had here"
)
UNKNOWN = Advice(
    "",
    "look the op up in the delegate's own list of operators; spell it in others when exporting, or leave it to the CPU where it "
    "costs little (edgekit bench tells)",
)

_FIX_SHAPES = "fix the batch and every open dimension: --input-shape NAME=1x..., for each input"
_SYMMETRIC = (
    "convert for a target whose activations are symmetric: --target jetson-orin, or "
    'activations = "symmetric" in one of your own'
)
_STATIC_INT8 = "convert with --precision int8 --calibrate SAMPLES, so that activations have scales of their own"
_MOVES_DATA = "it moves data and computes nothing; what costs is the change of device, so keep it at the graph's ends"

RULES = (
    # What the runtime itself says.
    Rule(Advice("", _FIX_SHAPES), told=r"dynamic|symbolic|unknown (shape|dim)|non-?constant (shape|dim)|open dim"),
    Rule(Advice("", _SYMMETRIC), told=r"zero.?point|asymmetric|symmetric"),
    Rule(
        Advice("", "write an older opset: onnx-opset = 21 in a target of your own (docs/targets.md)"),
        told=r"opset|op version|unsupported version",
    ),
    # Compilers for processors without a float unit.
    Rule(
        Advice(
            "it computes in float and the processor on integers only",
            "convert for the processor, which leaves no float op: --target ethos-u55 or coral, or --integer-only",
        ),
        delegate=r"ethos|vela|edgetpu|edge.?tpu|coral",
        kernel=r"float",
    ),
    Rule(
        Advice("", "keep its activations at 8 bits, or retrain without it: 16-bit operators are few on this processor"),
        delegate=r"ethos|vela|edgetpu|edge.?tpu|coral",
        kernel=r"int16",
    ),
    # LiteRT's XNNPACK delegate: what it was seen to leave to the interpreter's own kernels (docs/quantization.md).
    Rule(
        Advice(
            "XNNPACK's average pooling is float",
            "convert the source with edgekit, which writes a mean over height and width or, for windows, a depthwise convolution",
        ),
        delegate="xnnpack",
        op=r"^(AVERAGE_POOL_2D|L2_POOL_2D)$",
        kernel="int8",
    ),
    Rule(
        Advice(
            "XNNPACK's softmax is float",
            "leave the softmax float (the default without --integer-only and with --io float32), or outside of the file",
        ),
        delegate="xnnpack",
        op=r"^(LOG_)?SOFTMAX$",
        kernel="int8",
    ),
    Rule(
        Advice(
            "XNNPACK has hard swish in float only",
            "convert the source with edgekit, which writes it in additions, products and clamps that are taken",
        ),
        delegate="xnnpack",
        op="^HARD_SWISH$",
        kernel="int8",
    ),
    Rule(
        Advice(
            "XNNPACK resizes bilinearly only",
            "upsample bilinearly, or by a transposed convolution or pixel shuffle, when training",
        ),
        delegate="xnnpack",
        op="^RESIZE_NEAREST_NEIGHBOR$",
    ),
    Rule(
        Advice(
            "XNNPACK multiplies two int8 activations in no kernel",
            "keep products of two activations (attention scores) float, as edgekit does by default",
        ),
        delegate="xnnpack",
        op="^BATCH_MATMUL$",
        kernel="int8",
    ),
    Rule(
        Advice(
            "a clamp on its own has no int8 kernel in XNNPACK",
            "let it follow a convolution, an addition or a product, into whose encoding it goes",
        ),
        delegate="xnnpack",
        op=r"^RELU",
        kernel="int8",
    ),
    Rule(
        Advice("XNNPACK has no kernels for 16-bit activations", "leave out --integer-only, which chose 16 bits here"),
        delegate="xnnpack",
        kernel="int16",
    ),
    Rule(
        Advice(
            "its filter is stored without its zeros, which XNNPACK does not read",
            "leave it: edgekit stores a filter like that where the interpreter's own kernel is then faster (docs/sparsity.md)",
        ),
        delegate="xnnpack",
        op="FULLY_CONNECTED",
        kernel="sparse",
    ),
    Rule(
        Advice("weights are int8 and activations float (a hybrid kernel)", _STATIC_INT8),
        delegate="xnnpack",
        op="CONV|FULLY_CONNECTED",
        kernel=r"float32 x int8",
    ),
    Rule(
        Advice(
            "XNNPACK knows no recurrent layers and no loops",
            "write the layer step by step: --prefer speed, and unroll-steps in the recipe for long ones",
        ),
        delegate="xnnpack",
        op=r"LSTM|RNN|^WHILE$|^CALL_ONCE$|VARIABLE|^VAR_HANDLE$",
    ),
    Rule(
        Advice("XNNPACK has no look-ups", _MOVES_DATA),
        delegate="xnnpack",
        op=r"^(GATHER|GATHER_ND|EMBEDDING_LOOKUP|ONE_HOT|ARG_MAX|ARG_MIN|CAST|SHAPE|PACK|UNPACK|TILE|SCATTER_ND)$",
    ),
    Rule(
        Advice(
            "XNNPACK takes int8 additions and products only where the ratios of their scales lie within its bounds",
            "convert the source again with edgekit, which holds scales within them",
        ),
        delegate="xnnpack",
        op=r"^(ADD|SUB|MUL)$",
        kernel="int8",
    ),
    Rule(
        Advice("conversions at the graph's ends stay with the caller's types", "take and give integers: --io int8"),
        op=r"^(QUANTIZE|DEQUANTIZE|QuantizeLinear|DequantizeLinear)$",
    ),
    # ONNX Runtime's execution providers.
    Rule(
        Advice(
            "it is an operator of ONNX Runtime's own, which other engines do not know",
            "write standard operators only: onnx-contrib-ops = false in the target, as in --target jetson-orin",
        ),
        op=r"^(com\.microsoft\.)?(DynamicQuantizeLSTM|QAttention)$",
    ),
    Rule(
        Advice("", _SYMMETRIC),
        delegate=r"tensorrt",
        op="Conv|Gemm|MatMul",
        kernel="int8",
    ),
    Rule(
        Advice(
            "it computes in float and the processor on integers only",
            "give it integers: convert with --precision int8 and without --keep-float for these nodes",
        ),
        delegate="qnn",
        kernel="float32",
    ),
    Rule(
        Advice("it only computes shapes", _FIX_SHAPES),
        op=r"^(Shape|Size|ConstantOfShape|NonZero|Range)$",
    ),
    Rule(
        Advice("", _MOVES_DATA),
        op=r"(?i)^(gather\w*|reshape|squeeze|unsqueeze|flatten|transpose|split\w*|concat\w*|slice|identity|cast|expand)$",
    ),
)
"""The first that fits counts."""
