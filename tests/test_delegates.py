"""What a user may write for a delegate."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import UsageError
from edgekit.protocols import Delegate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cuda", Delegate("cuda")),
        ("openvino:device_type=CPU,precision=FP32", Delegate("openvino", {"device_type": "CPU", "precision": "FP32"})),
        ("/opt/npu/libnpu.so:cache=/tmp/a", Delegate("libnpu", {"cache": "/tmp/a"}, Path("/opt/npu/libnpu.so"))),
        ("libnpu.so", Delegate("libnpu", {}, Path("libnpu.so"))),
    ],
)
def test_a_delegate_is_a_name_or_a_library_with_options(text: str, expected: Delegate) -> None:
    assert Delegate.parse(text) == expected
    assert str(Delegate.parse(text)) == text


@pytest.mark.parametrize("text", ["", ":a=b", "cuda:device", "cuda:=1"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected NAME"):
        Delegate.parse(text)
