"""Vela itself, on files that edgekit wrote: what it estimates and what it leaves to the CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from integer_network import write_network

from edgekit.cli.border import run
from edgekit_converters.compilers.tool import find_tool
from edgekit_converters.compilers.vela import VelaCompiler
from edgekit_converters.inspection import inspect_file

pytestmark = pytest.mark.skipif(find_tool("vela") is None, reason="vela is not installed: pip install ethos-u-vela")


@pytest.fixture(scope="module")
def integer_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("integer"), "--target", "ethos-u55")


def test_probing_tells_the_version_and_the_configurations() -> None:
    found = VelaCompiler().probe()
    assert found.available
    assert found.version[0].isdigit()
    assert "ethos-u55-128" in found.accelerators


def test_a_file_without_float_ops_goes_to_the_npu_whole(integer_only: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gates = ("--limit-fallback", "0ops", "--require-delegate", "ethos-u")
    assert run(["compile", str(integer_only), "--target", "ethos-u55", "--json", *gates]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["fallbacks"]["ops_left"] == 0
    figures = {figure["name"]: figure["value"] for figure in document["compiled"]["figures"]}
    assert figures["NPU cycles of an inference"] > 0
    assert figures["multiply-accumulates on the NPU"] >= 8 * 8 * 4 * 27
    assert 0 < figures["multipliers busy"] < 100
    assert figures["SRAM used"] > 0
    made = Path(document["compiled"]["file"])
    assert made == integer_only.with_name("net.int8.vela.tflite")
    assert [node.op for node in inspect_file(made).nodes] == ["ethos-u"]


def test_what_is_left_to_the_cpu_is_listed_with_velas_reason_and_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_network(tmp_path)
    capsys.readouterr()
    assert run(["compile", str(path), "--with", "vela", "--limit-fallback", "0ops"]) == 1
    out = capsys.readouterr().out
    assert "1 SOFTMAX (float32 -> float32) on builtin: Operation has tensor with unsupported DataType Float32" in out
    assert "--target ethos-u55" in out
    assert "limit BROKEN: fallback of net.int8.vela.tflite is" in out


def test_another_configuration_needs_other_cycles(integer_only: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cycles = []
    for accelerator in ("ethos-u55-32", "ethos-u55-256"):
        command = ["compile", str(integer_only), "--with", "vela", "--accelerator", accelerator, "--json"]
        assert run(command) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["compiled"]["accelerator"] == accelerator
        cycles.append(document["compiled"]["figures"][0]["value"])
    assert cycles[0] > cycles[1]


def test_an_option_of_velas_own_reaches_it_and_its_refusal_is_told(
    integer_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compile", str(integer_only), "--with", "vela", "-o", str(tmp_path), "--option"]
    assert run([*command, "memory-mode=Sram_Only", "--json"]) == 0
    assert "memory mode" not in " ".join(json.loads(capsys.readouterr().out)["compiled"]["notes"])
    (tmp_path / "net.int8.vela.tflite").unlink()
    assert run([*command, "memory-mode=Nowhere"]) == 1
    assert "Memory_Mode.Nowhere not found" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_accelerator_is_told_with_the_known_ones(
    integer_only: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", str(integer_only), "--with", "vela", "--accelerator", "ethos-u99"]) == 1
    assert "knows no accelerator 'ethos-u99'; it knows ethos-u55-32" in capsys.readouterr().err
