"""Imports point downwards only: the syntax trees of all modules are walked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
VALUES = ("artifact", "protocols", "recipe", "report", "target")
LAYERS = (
    ("errors",),
    VALUES,
    ("registry", "accuracy", "agreement", "latency", "datasets", "isolation", "inference"),
    ("pipeline",),
    ("cli",),
)
HEAVY = ("ai_edge_litert", "h5py", "keras", "onnx", "onnx_ir", "onnxruntime", "onnxscript", "PIL", "rich", "scipy")
HEAVY += ("tensorflow", "tf2onnx", "tflite_runtime", "torch")


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path, *, top_level_only: bool) -> Iterator[str]:
    """Full names of what a module imports; those under ``if TYPE_CHECKING`` are left out."""
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if top_level_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))


def layer_of(module: str) -> int | None:
    """Index in LAYERS of an `edgekit` module; None for helpers that no layer names."""
    parts = module.split(".")
    if parts[0] != "edgekit" or len(parts) < 2:
        return None
    return next((index for index, names in enumerate(LAYERS) if parts[1] in names), None)


@pytest.mark.parametrize("path", modules("edgekit"), ids=lambda path: str(path.relative_to(ROOT)))
def test_edgekit_imports_no_higher_layer_and_no_converter_or_runtime(path):
    own = layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for name in imports(path, top_level_only=False):
        assert not name.startswith(("edgekit_converters", "edgekit_runtimes")), f"{path.name} imports {name}"
        other = layer_of(name)
        assert own is None or other is None or other <= own, f"{path.name} imports {name} from a higher layer"


@pytest.mark.parametrize("package", ["converters/edgekit_converters", "runtimes/edgekit_runtimes"])
def test_converters_and_runtimes_never_import_each_other_and_only_the_lowest_layers(package):
    own = Path(package).name
    other = {"edgekit_converters": "edgekit_runtimes", "edgekit_runtimes": "edgekit_converters"}[own]
    for path in modules(package):
        for name in imports(path, top_level_only=False):
            assert not name.startswith(other), f"{path} imports {name}"
            layer = layer_of(name)
            assert layer is None or layer <= 1 or ".isolation" in name, f"{path} imports {name}"


@pytest.mark.parametrize("path", modules("edgekit"), ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_are_imported_inside_functions(path):
    heavy = [name for name in imports(path, top_level_only=True) if name.partition(".")[0] in HEAVY]
    assert heavy == []
