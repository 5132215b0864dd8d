"""Lets tests be interrupted, and draws the same examples for the same code."""

import signal

from hypothesis import HealthCheck, settings

# Whoever started the tests: a shell's background jobs ignore Ctrl-C. Inherited by every process
# that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A commit passes or fails for what is in it, not for what was drawn or for the machine's haste;
# ``pytest --hypothesis-profile=explore`` draws others, and more of them.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", _PATIENT, derandomize=True)
settings.register_profile("explore", _PATIENT, max_examples=2000)
settings.load_profile("same")
