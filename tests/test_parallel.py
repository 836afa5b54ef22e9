"""Work in threads, in order; bars that end."""

import threading
import time

from toolbox.page.progress import in_threads, progress

import pytest


@pytest.mark.parametrize(("threads", "ahead"), [(1, 1), (2, 3), (4, 4)])
def test_results_come_in_order_and_only_so_many_items_are_taken_ahead(threads, ahead):
    taken = []

    def nap(item):
        time.sleep(item * 7 % 10 / 1000)
        return item

    items = (taken.append(item) or item for item in range(100))
    for received, item in enumerate(in_threads(nap, items, threads, ahead)):
        assert item == received and len(taken) - received <= threads * ahead
    assert len(taken) == 100


def test_an_error_comes_through_and_stops_the_work():
    computed, received = [], []

    def fragile(item):
        computed.append(item)
        return 1 // (item - 5)

    with pytest.raises(ZeroDivisionError):
        received.extend(in_threads(fragile, range(1000), threads=2))
    assert len(received) == 5 and len(computed) < 20


def test_leaving_early_waits_for_what_began_and_cancels_what_waits():
    """One thread works on item 1, until the caller has left; 48 wait."""
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
    assert left.is_set() and begun == [0, 1]


def test_a_bar_ends_at_all_of_it_however_quick_it_was(capsys):
    list(progress(in_threads(abs, range(7), threads=2), total=7, desc="quick"))
    last = capsys.readouterr().out.rstrip("\n").rsplit("\r", 1)[-1]
    assert last.startswith("quick: 100%") and "7/7" in last
