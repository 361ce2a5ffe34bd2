"""What stands beside the artifacts."""

from __future__ import annotations

import numpy as np

from edgekit.artifact import Artifact, sha256_of
from edgekit.production import Product, produce
from edgekit.protocols import Silent
from edgekit.recipe import Precision, Recipe
from edgekit.target import load_target
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.quant_plan import QuantPlan


def test_companions_are_copied_and_recorded(tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    (source / "vocab.txt").write_text("one\ntwo\n")
    graph = GraphBuilder()
    graph.output(graph.op("Add", graph.input("x", "float32", ["batch", 2]), graph.constant(np.float32([1, 2]))), "y")
    product = Product(
        stem="words",
        hub=graph.build("test"),
        plan=QuantPlan(Precision.FLOAT32),
        recipe=Recipe(precision=Precision.FLOAT32),
        target=load_target("cpu"),
        source={},
        input_shapes={},
        companions=(source / "vocab.txt",),
    )
    outcomes = produce(product, ("onnx", "tflite"), out, Silent())
    copied = out / "words.companions" / "vocab.txt"
    assert copied.read_bytes() == (source / "vocab.txt").read_bytes()
    for outcome in outcomes:
        manifest = Artifact.open(outcome.artifact.path).manifest
        assert manifest.companions == {"words.companions/vocab.txt": sha256_of(copied)}
