"""Ends a worker, and all that it started, with the process that launched it."""

import fcntl
import os
import select
import signal


def hang_on(descriptor: int) -> None:
    """Have this process group killed as soon as the other end of a socket pair is closed.

    Parameters
    ----------
    descriptor
        Our end, on which nothing is ever sent. This process must lead its group.
    """
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no name
    # The kernel itself kills: a thread of ours would wait for as long as native code of the
    # release holds the interpreter's lock, and nobody might be left to kill us.
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)
    if _is_closed(descriptor):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_closed(descriptor: int) -> bool:
    """Tell whether the other end was closed before the kernel was asked to watch it."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))
