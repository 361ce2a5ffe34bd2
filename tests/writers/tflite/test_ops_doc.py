"""docs/ops.md is what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_operators_is_current() -> None:
    generator = script("generate_ops_doc")
    assert generator.document() == generator.DOC.read_text("utf-8"), "run scripts/generate_ops_doc.py"


def test_every_builtin_in_the_table_of_rules_is_one_of_tflites() -> None:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    from edgekit_converters.rules import RULES

    stated = {name for rule in RULES.values() for name in rule.tflite.replace("+", "/").replace(" ", "").split("/")}
    assert not {name for name in stated if name and not hasattr(BuiltinOperator, name)}
