"""Work in child processes: a native crash becomes an error, Ctrl-C leaves nothing behind, nothing is ever unpickled.

A child is a fresh interpreter (no fork). It gets the parent's import path and environment. Children may start children.

    outcome = isolation.run("package.module:function", request, progress, stage="reading the model")
    with isolation.open_session("package.module:open_reference", request) as session:
        outputs = session.run(feeds)

The functions named take ``(request, progress)``; what may be a request, a result or a feed stands in `edgekit.isolation.wire`.
``host=`` puts the child on a device (`edgekit.devices.Device`).
"""

from edgekit.isolation.call import run
from edgekit.isolation.host import Host, Started
from edgekit.isolation.messages import Limits, Outcome
from edgekit.isolation.session import RemoteSession, open_session

__all__ = ["Host", "Limits", "Outcome", "RemoteSession", "Started", "open_session", "run"]
