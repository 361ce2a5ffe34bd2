"""An If that no constant decides: which inputs decide it, and what its user can do."""

from __future__ import annotations

import onnx_ir as ir


def undecided_reason(node: ir.Node) -> str:
    """Why both branches of an If are still there, with the way out."""
    names = sorted(_deciding_inputs(node.inputs[0]))
    if not names:
        return "its condition is computed, and no input decides it"
    listed = " and ".join(repr(name) for name in names)
    return (
        f"its condition depends on the input{'s' * (len(names) > 1)} {listed}: fix it, so that one branch remains, with "
        + " ".join(f"--input-value {name}=NUMBER (or --input-shape, where its shape decides)" for name in names)
    )


def _deciding_inputs(condition: ir.Value | None) -> set[str]:
    """Names of the model's inputs that the value is computed from."""
    found: set[str] = set()
    seen: set[ir.Value] = set()
    pending = [condition]
    while pending:
        value = pending.pop()
        if value is None or value in seen:
            continue
        seen.add(value)
        if value.is_graph_input() and value.name:
            found.add(value.name)
        maker = value.producer()
        if maker is not None:
            pending += maker.inputs
    return found
