"""Work in threads, in order; bars that end."""

import time

from toolbox.page.bars import in_threads, progress

import pytest


@pytest.mark.parametrize(("threads", "ahead"), [(1, 1), (2, 3)])
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
    taken, received = iter(range(1000)), []
    with pytest.raises(ZeroDivisionError):
        received.extend(in_threads(lambda item: 1 // (item - 5), taken, threads=2))
    assert len(received) == 5 and next(taken) < 20


def test_a_bar_ends_at_all_of_it_however_quick_it_was(capsys):
    list(progress(in_threads(abs, range(7), threads=2), total=7, desc="quick"))
    last = capsys.readouterr().out.rstrip("\n").rsplit("\r", 1)[-1]
    assert last.startswith("quick: 100%") and "7/7" in last
