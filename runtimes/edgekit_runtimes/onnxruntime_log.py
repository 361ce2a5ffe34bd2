"""What ONNX Runtime prints while it opens a model: there, and nowhere else, stands why a provider did not start or left an op."""

from __future__ import annotations

import re
from collections.abc import Iterator

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ \[([VIWEF]):[^\]]*\] (.*)$")
_NODE = re.compile(r"Node name: (.*?)\s+Node index: \d+")
_PREFERS_CPU = re.compile(r"Force fallback to CPU execution for node: (\S+) because (.*)")


def complaints(printed: str) -> tuple[str, ...]:
    """The errors, or where there are none the warnings, each once, without the place in the source."""
    return _messages(printed, "EF") or _messages(printed, "W")


def refusals(printed: str) -> dict[str, str]:
    """Why an op was left to the CPU, by its name in the file."""
    found: dict[str, str] = {}
    for _, text in _entries(printed):
        if match := _PREFERS_CPU.search(text):
            found[match[1]] = match[2].strip()
        elif "Validation FAILED" in text:
            reason = text.partition("REASON :")[2].strip() or "its check failed"
            found |= dict.fromkeys(_NODE.findall(text), " ".join(reason.split()))
    return found


def _messages(printed: str, severities: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_message(text) for severity, text in _entries(printed) if severity in severities))


def _entries(printed: str) -> Iterator[tuple[str, str]]:
    """Severity and text of each entry; lines without a head continue the entry before them."""
    severity, lines = "-", [""]
    for line in _COLOUR.sub("", printed).splitlines():
        if head := _ENTRY.match(line):
            yield severity, "\n".join(lines)
            severity, lines = head[1], [head[2]]
        else:
            lines.append(line)
    yield severity, "\n".join(lines)


def _message(text: str) -> str:
    """Without file, line and function, status code and repetitions of them."""
    plain = " ".join(text.split())
    plain = re.sub(r"^.*\[ONNXRuntimeError\] : \d+ : \w+ : ", "", plain)
    plain = re.sub(r"^/\S+:\d+ .*?\) (?=[\[A-Z])", "", plain)
    return plain.removeprefix("[ERROR] ")
