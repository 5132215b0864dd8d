"""Keeps the end of a run of tests from importing what no test used: Hypothesis, all of it."""

import sys

import pytest

_HYPOTHESIS = "hypothesispytest"
_XDIST = "dsession"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave Hypothesis out of a summary in which it has nothing to say.

    Its plugin imports the whole library to learn whether it wrote anything, which takes longer
    than many a run of tests. With xdist it is others that imported it, so it stays.
    """
    plugins = session.config.pluginmanager
    if "hypothesis" not in sys.modules and not plugins.has_plugin(_XDIST):
        plugins.unregister(name=_HYPOTHESIS)
