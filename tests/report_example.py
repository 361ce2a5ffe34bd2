"""A report as a conversion might give it, for the tests of what draws it."""

from __future__ import annotations

from edgekit.artifact import TensorSpec
from edgekit.figures import Agreement, LatencyFigures, MetricKind, OutputAgreement, PlacementSummary
from edgekit.report import Entry, FloatNode, Limit, ModelFacts, Report, Role, SampleFacts, Stage, Twins


def agreement(sqnr_db: float = 31.24, equal_samples: float = 0.25) -> Agreement:
    output = OutputAgreement("probabilities", sqnr_db, 0.9991, 0.021, 0.995, 0.93, 0)
    return Agreement(360, sqnr_db, 0.9991, 0.021, 0.995, 0.93, equal_samples, 0, (output,))


def latency(p50_ms: float) -> LatencyFigures:
    low, high = p50_ms * 0.98, p50_ms * 1.03
    return LatencyFigures(
        p50_ms, low, high, p50_ms * 1.2, p50_ms * 1.1, p50_ms * 1.3, 900, 1, 0.95, True, 1.2, 41_000_000
    )


def example_report(*limits: Limit) -> Report:
    tflite = Entry(
        name="digits_cnn.int8.tflite",
        role=Role.ARTIFACT,
        file="digits_cnn.int8.tflite",
        format="tflite",
        precision="int8",
        runtime="litert",
        size_bytes=33_120,
        sha256="ab" * 32,
        accuracy=0.9722,
        drop_points=0.28,
        agreement=agreement(),
        latency=latency(0.021),
        placement=PlacementSummary(9, 8, 1, {"XNNPACK": 8, "builtin": 1}, {"SOFTMAX": 1}),
    )
    onnx = Entry(
        name="digits_cnn.int8.onnx",
        role=Role.ARTIFACT,
        file="digits_cnn.int8.onnx",
        format="onnx",
        precision="int8",
        runtime="onnxruntime",
        size_bytes=34_800,
        accuracy=0.9722,
        drop_points=0.28,
        agreement=agreement(31.21),
        latency=latency(0.029),
        placement=PlacementSummary(12, 9, 0, {"CPUExecutionProvider": 12}, {"Softmax": 1, "Reshape": 2}),
        notes=("2 ops run in float: Reshape",),
    )
    return Report(
        model=ModelFacts(
            "digits_cnn.keras", "keras", "cd" * 32, 28_938, (TensorSpec("image", "float32", ("n", 8, 8, 1)),)
        ),
        settings={"precision": "int8", "effort": "standard", "target": "cpu"},
        reference="the original model in keras",
        reference_is_original=True,
        calibration=SampleFacts("calibrate.npz", 200),
        evaluation=SampleFacts("evaluate.npz", 360),
        metric=MetricKind("top1"),
        entries=(
            Entry("original", Role.ORIGINAL, runtime="keras", size_bytes=402_000, accuracy=0.975),
            Entry(
                "float",
                Role.FLOAT,
                runtime="onnxruntime",
                accuracy=0.975,
                agreement=agreement(132),
                latency=latency(0.052),
            ),
            tflite,
            onnx,
        ),
        twins=Twins(tflite.name, onnx.name, agreement(60.0, 0.97)),
        float_nodes=(FloatNode("dense_2/softmax", "Softmax", "a final softmax is better left in float"),),
        limits=limits,
        stages=(Stage("read", 0.21, 60_000_000), Stage("calibrate", 0.8, 121_000_000), Stage("write onnx", 0.05)),
        conditions=("x86_64, 2 cores, governor performance",),
        versions={"edgekit-ml": "0.1.0", "onnxruntime": "1.31.1"},
        notes=("the dropout layers were left out",),
    )


KEPT = Limit("size", "digits_cnn.int8.tflite", 100_000, 33_120, "bytes")
BROKEN = Limit("drop", "digits_cnn.int8.onnx", 0.1, 0.28, "points")
