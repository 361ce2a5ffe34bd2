"""What the tests of the passes share: run a hub before and after in ONNX Runtime, on the same random inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from edgekit.protocols import Feeds
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.passes import Pass
from edgekit_converters.hub.run import hub_session

Check = Callable[..., Hub]


@pytest.fixture
def after() -> Check:
    """``after(hub, pass, ...)``: the hub on which the passes ran; fails when it computes anything else."""

    def check(hub: Hub, *passes: Pass, tolerance: float = 2e-6) -> Hub:
        edited = hub.clone()
        for run in (infer_shapes, *passes, infer_shapes):
            run(edited.model)
        assert_equal_outputs(hub, edited, tolerance)
        return edited

    return check


@pytest.fixture
def equal() -> Callable[..., None]:
    """``equal(hub, other)``: fails when the two hubs compute different things."""
    return assert_equal_outputs


@pytest.fixture
def ops() -> Callable[[Hub], dict[str, int]]:
    """How often each operator stands in a hub."""

    def count(hub: Hub) -> dict[str, int]:
        return dict(Counter(node.op_type for node in hub.model.graph))

    return count


def assert_equal_outputs(one: Hub, other: Hub, tolerance: float = 2e-6) -> None:
    feeds = random_feeds(one)
    expected = hub_session(one, optimization="none").run(feeds)
    found = hub_session(other, optimization="none").run(feeds)
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        scale = max(1.0, float(np.abs(array).max(initial=0.0)))
        np.testing.assert_allclose(found[name], array, rtol=0, atol=tolerance * scale)


def random_feeds(hub: Hub, batch: int = 3) -> Feeds:
    random = np.random.default_rng(7)
    feeds = {}
    for spec in hub.inputs:
        shape = [dim if isinstance(dim, int) else batch for dim in spec.shape]
        feeds[spec.name] = (3 * random.standard_normal(shape)).astype(spec.dtype)
    return feeds
