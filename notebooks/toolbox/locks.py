"""One writer at a time."""

import os
from contextlib import contextmanager

import portalocker


@contextmanager
def one_writer(path, what, wait=False):
    """Hold the lock file `path` while the block runs; the system lets go of it if we are killed.

    what: what is being written, for the message; wait: whether to wait for another process that
    holds it; if not, that raises RuntimeError, with its number. Source: portalocker's documentation
    (fcntl or Windows' locks underneath).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            portalocker.lock(file, portalocker.LOCK_EX | (0 if wait else portalocker.LOCK_NB))
        except portalocker.LockException:
            holder = path.read_text(encoding="utf-8") or "another"
            raise RuntimeError(
                f"Process {holder} is writing {what}. Wait until it has finished, or stop it."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
