"""Threads that keep their order and bound their memory, progress bars, and a quiet
interrupt.
"""

import os
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from tqdm.std import tqdm


class Bar(tqdm):
    """A tqdm bar that an interrupt can find, to say how far it got."""

    # Bars that run, oldest first, and those cut off since any bar's last step: an
    # interrupt closes the bars of the loops that it ends before anybody can ask.
    running = []  # noqa: RUF012

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.running.append(self)

    def __iter__(self):
        for item in super().__iter__():
            self.forget_cut_off()
            yield item

    def update(self, n=1):
        self.forget_cut_off()
        return super().update(n)

    def close(self):
        cut_off = self.total and self.n < self.total
        super().close()
        if not cut_off:
            self.forget_cut_off()

    @classmethod
    def forget_cut_off(cls):
        cls.running[:] = [
            bar for bar in cls.running if not bar.disable
        ]  # closed bars are disabled

    def amount(self, number):
        """A number of steps as the bar writes it: 1,224, or 6.93G where it shortens."""
        if self.unit_scale:
            return self.format_sizeof(number, divisor=self.unit_divisor)
        return f"{number:,}"


def progress(items=None, kind=Bar, **settings):
    """A tqdm bar on standard output, with tqdm's settings (total, desc, unit, ...);
    it stays one line in the page. To be iterated over, or updated and closed by
    hand. kind: `Bar`, or a class that is one.
    """
    return kind(items, file=sys.stdout, ncols=90, mininterval=0.5, **settings)


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


def where_it_stopped():
    """One sentence for an interrupt: how far the newest running bar got. Closes what
    still runs.
    """
    sentence = "stopped; run the cell again"
    if Bar.running:
        bar = Bar.running[-1]
        of_total = f" of {bar.amount(bar.total)}" if bar.total else ""
        name = f" ({bar.desc.removesuffix(': ')})" if bar.desc else ""
        sentence = (
            f"stopped at {bar.amount(bar.n)}{of_total}{name}; run the cell again to"
            " go on"
        )
    for bar in Bar.running[::-1]:
        bar.close()
    return sentence


def install_interrupt(shell):
    """Let an IPython shell answer an interrupt with one sentence instead of a
    traceback; the cell still counts as failed.
    """

    def handler(shell, etype, value, tb, tb_offset=None):
        print(where_it_stopped())

    shell.set_custom_exc((KeyboardInterrupt,), handler)
    shell.events.register(
        "pre_run_cell", lambda info: Bar.running.clear()
    )  # left by failed cells


if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
    install_interrupt(sys.modules["IPython"].get_ipython())
