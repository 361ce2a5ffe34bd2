"""``edgekit compile`` where the tool is absent, the wrong one, or a stand-in that says what the real one is known to say."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path

import pytest
from integer_network import write_network

from edgekit.cli.border import run
from edgekit_converters.hub.build import GraphBuilder

EDGETPU = """
import pathlib, shutil, sys
if "--version" in sys.argv:
    print("Edge TPU Compiler version 16.0.384591198")
    sys.exit()
out = pathlib.Path(sys.argv[sys.argv.index("--out_dir") + 1])
shutil.copy(sys.argv[-1], out / (pathlib.Path(sys.argv[-1]).stem + "_edgetpu.tflite"))
print('''Model compiled successfully in 512 ms.
On-chip memory used for caching model parameters: 6.03MiB
On-chip memory remaining for caching model parameters: 1.21MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 0

Operator                       Count      Status

CONV_2D                        1          Operation is otherwise supported, but not mapped due to some unspecified limitation
SOFTMAX                        1          More than one subgraph is not supported
QUANTIZE                       1          Mapped to Edge TPU
''')
"""
TRTEXEC = """
import json, pathlib, sys
options = dict(word[2:].partition("=")[::2] for word in sys.argv[1:])
if "help" in options:
    print("&&&& RUNNING TensorRT.trtexec [TensorRT v100300] # trtexec --help")
    sys.exit()
assert {"int8", "fp16", "skipInference"} <= set(options)
if options["onnx"].endswith("bad.onnx"):
    print("[E] ModelImporter.cpp: unsupported operator Frobnicate")
    sys.exit(1)
pathlib.Path(options["saveEngine"]).write_bytes(b"engine")
layer = {"Name": "conv + softmax", "LayerType": "CaskConvolution", "Inputs": [{"Format/Datatype": "Int8 NC/32HW32"}],
         "Outputs": [{"Format/Datatype": "FP32 NCHW"}]}
pathlib.Path(options["exportLayerInfo"]).write_text(json.dumps({"Layers": [layer], "Bindings": []}))
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("written"))


@pytest.fixture
def network(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """An ONNX file with a TFLite file beside it."""
    for name in ("net.onnx", written.name, f"{written.name}.json"):
        shutil.copy(written.with_name(name), tmp_path)
    capsys.readouterr()
    return tmp_path / written.name


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is the whole PATH; tools beside this Python are not seen."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def stand_in(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!{sys.executable}{script}", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("compiler", "suffix", "remedy"),
    [
        ("edgetpu", ".int8.tflite", "https://coral.ai/docs/edgetpu/compiler/"),
        ("tensorrt", ".onnx", "installing-tensorrt"),
    ],
)
def test_a_tool_that_is_not_installed_is_told_with_the_way_to_it(
    compiler: str, suffix: str, remedy: str, network: Path, no_tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", str(network.with_name("net" + suffix)), "--with", compiler]) == 1
    err = capsys.readouterr().err
    assert "is not installed" in err
    assert remedy in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "cpu"], "the target cpu needs no compiler"),
        ([], "name what to compile for: --target NAME"),
        (["--with", "vella"], "Did you mean 'vela'?"),
        (["--target", "jetson-orin"], "expected the suffix .onnx"),
        (["--with", "vela", "--option", "nothing"], "write memory-mode=Sram_Only"),
    ],
)
def test_wrong_usage_ends_with_2(
    options: list[str], message: str, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", str(network), *options]) == 2
    assert message in capsys.readouterr().err


def test_the_edge_tpu_compilers_words_become_figures_and_reasons(
    network: Path, no_tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(no_tools, "edgetpu_compiler", EDGETPU)
    assert run(["compile", str(network), "--target", "coral", "--require-delegate", "edgetpu", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    compiled = document["compiled"]
    assert (compiled["version"], Path(compiled["file"]).name) == ("16.0.384591198", "net.int8.edgetpu.tflite")
    figures = {figure["name"]: figure["value"] for figure in compiled["figures"]}
    assert figures["on-chip memory for parameters"] == 6.03 * 2**20
    why = {kind["op"]: kind["why"] for kind in document["fallbacks"]["kinds"]}
    assert why["SOFTMAX"] == "More than one subgraph is not supported"
    assert why["CONV_2D"].startswith("Operation is otherwise supported")
    assert document["limits"][0]["found"] == 0


def test_an_engines_layers_are_its_placement(network: Path, no_tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in(no_tools, "trtexec", TRTEXEC)
    source = network.with_name("net.onnx")
    assert (
        run(["compile", str(source), "--target", "jetson-orin", "--option", "memPoolSize=workspace:256", "--json"]) == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert source.with_name("net.engine").read_bytes() == b"engine"
    (op,) = document["compiled"]["placement"]["ops"]
    assert (op["device"], op["kernel"], op["integer"]) == ("TensorRT", "int8 -> float32", True)
    assert "this GPU" in document["compiled"]["notes"][0]


def test_what_the_tool_said_last_is_the_error(
    tmp_path: Path, no_tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(no_tools, "trtexec", TRTEXEC)
    graph = GraphBuilder("bad")
    graph.output(graph.op("Relu", graph.input("x", "float32", (1, 2))), "y")
    (tmp_path / "bad.onnx").write_bytes(graph.build("test").to_bytes())
    assert run(["compile", str(tmp_path / "bad.onnx"), "--with", "tensorrt"]) == 1
    assert "unsupported operator Frobnicate" in capsys.readouterr().err
    assert not (tmp_path / "bad.engine").exists()
