"""What the report says of each stage's share."""

from __future__ import annotations

from edgekit.figures import Agreement
from edgekit.report import Entry, ModelFacts, Report, Role
from edgekit.stage_shares import share_lines


def entry(role: Role, sqnr_db: float, equal: float | None, precision: str = "float32") -> Entry:
    agreement = Agreement(8, sqnr_db, 1.0, 0.1, equal, 0.0, 0.0, 0, ())
    return Entry(f"net.{precision}.onnx", role, format="onnx", precision=precision, agreement=agreement)


def lines(*entries: Entry) -> list[str]:
    return share_lines(Report(model=ModelFacts("net.onnx", "onnx"), settings={}, entries=entries))


def test_three_stages_are_told_in_their_order() -> None:
    artifact = entry(Role.ARTIFACT, 10.0, 0.8, "int8")
    assert lines(entry(Role.PRUNED, 20.0, 0.9), entry(Role.SPARSE, 12.0, 0.85), artifact) == [
        "net.int8.onnx: pruning leaves 20.0 dB, zeros 12.0 dB, quantizing 10.0 dB, same top 90.0%, 85.0% and then 80.0%"
    ]


def test_the_zeros_of_a_float_file_are_its_last_stage() -> None:
    made = lines(entry(Role.PRUNED, 20.0, None), entry(Role.ARTIFACT, 12.0, None))
    assert made == ["net.float32.onnx: pruning leaves 20.0 dB, zeros 12.0 dB"]


def test_quantizing_alone_has_no_share() -> None:
    assert lines(entry(Role.FLOAT, 120.0, 1.0), entry(Role.ARTIFACT, 30.0, 0.99, "int8")) == []
