"""Threads that keep their order and bound their memory, and progress bars."""

import os
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from tqdm.std import tqdm


def progress(items=None, **settings):
    """A tqdm bar on standard output, with tqdm's settings (total, desc, unit, ...);
    it stays one line in the page. To be iterated over, or updated and closed by
    hand.
    """
    return tqdm(items, file=sys.stdout, ncols=90, mininterval=0.5, **settings)


def in_threads(function, items, threads=None, ahead=4):
    """Yield function(item) for each item, in order, computed in threads.

    threads: how many, one for each processor if None; at most `threads * ahead` results
    wait at any time. An error of the function is raised at its item; what has not begun
    by then is cancelled, as it is when the caller stops early.
    """
    threads = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= threads * ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
