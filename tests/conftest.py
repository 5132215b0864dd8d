"""Lets tests be interrupted, whoever started them: a shell's background jobs ignore Ctrl-C."""

import signal

# Inherited by every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
