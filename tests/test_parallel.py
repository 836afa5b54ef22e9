"""toolbox.page.progress: ordered threads, bars that end; it leaves a reader's
interrupts alone.
"""

import subprocess
import sys
import threading
import time

from toolbox.page.progress import in_threads, progress

import numpy as np
import pytest
from clips import COURSE


def test_results_come_in_order():
    pauses = np.random.default_rng(0).uniform(0, 0.01, 40)

    def nap(index):
        time.sleep(pauses[index])
        return index

    assert list(in_threads(nap, range(40), threads=4)) == list(range(40))


@pytest.mark.parametrize(("threads", "ahead"), [(1, 1), (2, 3), (4, 4)])
def test_only_so_many_items_are_taken_ahead(threads, ahead):
    taken = 0

    def items():
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    for received, _ in enumerate(in_threads(abs, items(), threads, ahead)):
        assert taken - received <= threads * ahead
    assert taken == 100


def test_an_error_comes_through_and_stops_the_work():
    computed = []

    def fragile(item):
        computed.append(item)
        if item == 5:
            raise ValueError("item 5 is bad")
        return item

    results = in_threads(fragile, range(1000), threads=2)
    received = []
    with pytest.raises(ValueError, match="item 5 is bad"):
        received.extend(results)
    assert received == [0, 1, 2, 3, 4]
    assert len(computed) < 20


def test_leaving_early_cancels_what_waits():
    """One thread works on item 1 while 48 wait; it may end only once the caller has
    left.
    """
    begun, busy, left = [], threading.Event(), threading.Event()

    def work(item):
        begun.append(item)
        if item:
            busy.set()
            left.wait(30)

    results = in_threads(work, range(1000), threads=1, ahead=50)
    next(results)
    assert busy.wait(30)
    threading.Timer(0.3, left.set).start()
    results.close()
    assert left.is_set()  # it waited for the work that had begun
    assert begun == [0, 1]


def test_a_bar_ends_at_all_of_it_however_quick_it_was(capsys):
    for _ in progress(in_threads(abs, range(7), threads=2), total=7, desc="quick"):
        pass
    last = capsys.readouterr().out.rstrip("\n").rsplit("\r", 1)[-1]
    assert last.startswith("quick: 100%")
    assert "7/7" in last


def test_an_interrupted_loop_keeps_its_traceback():
    """In a shell that was there before the import, as in a notebook."""
    code = (
        "from toolbox.page.progress import progress\nfor _ in progress([1]): raise"
        " KeyboardInterrupt"
    )
    command = [sys.executable, "-m", "IPython", "--colors=NoColor", "-c", code]
    done = subprocess.run(
        command, cwd=COURSE / "notebooks", capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    assert "Traceback" in said and "in progress([1]): raise KeyboardInterrupt" in said
