"""`share_lines`: what is left of the original's answers after each stage of a conversion, file by file."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.figures import Agreement
from edgekit.recipe import Precision
from edgekit.report import Entry, Report, Role

_STAGES = {Role.PRUNED: "pruning", Role.SPARSE: "zeros", Role.ARTIFACT: "quantizing"}
"""By what is measured after them, in their order."""


def share_lines(report: Report) -> list[str]:
    """A line for each artifact that more than one stage made: the signal and the decisions that are left after each."""
    artifacts = (entry for entry in report.entries if entry.role is Role.ARTIFACT)
    chains = ((artifact.name, list(_chain(report, artifact))) for artifact in artifacts)
    return [f"{name}: {_told(chain)}" for name, chain in chains if len(chain) > 1]


def _chain(report: Report, artifact: Entry) -> Iterator[tuple[str, Agreement]]:
    """The stages up to the artifact; a float file is ready once its weights are left out."""
    for role, stage in _STAGES.items():
        for entry in report.entries:
            if entry.role is role and entry.format == artifact.format and entry.agreement:
                ready = role is Role.ARTIFACT and entry.precision == Precision.FLOAT32.value
                yield _STAGES[Role.SPARSE] if ready else stage, entry.agreement


def _told(chain: list[tuple[str, Agreement]]) -> str:
    (first, agreement), *others = chain
    text = f"{first} leaves {agreement.sqnr_db:.1f} dB"
    text += "".join(f", {stage} {one.sqnr_db:.1f} dB" for stage, one in others)
    tops = [f"{one.equal_decisions:.1%}" for _, one in chain if one.equal_decisions is not None]
    return text if len(tops) < len(chain) else f"{text}, same top {', '.join(tops[:-1])} and then {tops[-1]}"
