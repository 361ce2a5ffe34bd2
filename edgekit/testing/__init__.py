"""What every runtime and reader promises, as tests that a plug-in's own tests inherit (needs pytest: the extra ``testing``).

::

    from edgekit.testing import RuntimeConformance

    class TestMyRuntime(RuntimeConformance):
        @pytest.fixture
        def runtime(self):
            return MyRuntime()

The built-in ones go through the same classes (docs/plugins.md).
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("edgekit.testing.runtime", "edgekit.testing.source", "edgekit.testing.target")

from edgekit.testing.runtime import RuntimeConformance  # noqa: E402  # after the registration, so that asserts explain themselves
from edgekit.testing.source import SourceConformance  # noqa: E402
from edgekit.testing.target import TargetConformance  # noqa: E402

__all__ = ["RuntimeConformance", "SourceConformance", "TargetConformance"]
