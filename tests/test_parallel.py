"""toolbox.page.progress: ordered threads, bars that end, interrupts in one sentence."""

import threading
import time

from toolbox.page.progress import Bar, in_threads, progress

import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel

# Threads


def test_results_come_in_order():
    pauses = np.random.default_rng(0).uniform(0, 0.01, 40)

    def nap(index):
        time.sleep(pauses[index])
        return index

    assert list(in_threads(nap, range(40), threads=4)) == list(range(40))


def test_no_items_no_results():
    assert list(in_threads(str, [])) == []


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
    begun, left = [], threading.Event()

    def work(item):
        begun.append(item)
        if item:
            left.wait(30)

    results = in_threads(work, range(1000), threads=1, ahead=50)
    next(results)
    threading.Timer(0.3, left.set).start()
    results.close()
    assert left.is_set()  # it waited for the work that had begun
    assert begun in ([0], [0, 1])


def test_leaving_an_endless_loop_does_not_hang():
    finished = threading.Event()

    def leave():
        results = in_threads(lambda item: item, iter(int, 1), threads=2)  # endless
        next(results)
        results.close()
        finished.set()

    threading.Thread(target=leave, daemon=True).start()
    assert finished.wait(30)


# Bars


def test_a_bar_ends_at_all_of_it_however_quick_it_was(capsys):
    for _ in progress(in_threads(abs, range(7), threads=2), total=7, desc="quick"):
        pass
    last = capsys.readouterr().out.rstrip("\n").rsplit("\r", 1)[-1]
    assert last.startswith("quick: 100%")
    assert "7/7" in last


def test_a_bar_that_goes_on_ends_at_all_of_it(capsys):
    for _ in progress(range(3), total=10, initial=7):
        pass
    last = capsys.readouterr().out.rstrip("\n").rsplit("\r", 1)[-1]
    assert last.startswith("100%")
    assert "10/10" in last


def test_a_bar_whose_loop_fails_says_how_far_it_came(capsys):
    with pytest.raises(ZeroDivisionError):
        for item in progress(
            in_threads(lambda item: 1 // (3 - item), range(9), threads=1)
        ):
            assert item is not None
    assert "3it" in capsys.readouterr().out.rsplit("\r", 1)[-1]


def test_a_bar_may_be_of_another_kind(capsys):
    class Halves(Bar):
        def update(self, n=1):
            return super().update(n / 2)

    with progress(kind=Halves, total=2, desc="half") as bar:
        bar.update(2)
    last = capsys.readouterr().out.rstrip("\n").rsplit("\r", 1)[-1]
    assert last.startswith("half:  50%")


# Interrupts


@pytest.fixture(scope="module")
def kernel():
    """A Jupyter kernel that has imported the toolbox's bars: (manager, client)."""
    from clips import COURSE

    manager, client = start_new_kernel(cwd=str(COURSE / "notebooks"))
    run_cell(
        client, "import time\nfrom toolbox.page.progress import in_threads, progress"
    )
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run_cell(client, code, when="", then=None):
    """Run a cell, call `then` once when its output holds `when`; returns (status,
    what it printed, types of its messages).
    """
    request = client.execute(code)
    printed, types = "", []
    while "idle" not in types:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        printed += content.get("text", "")
        types.append(content.get("execution_state", message["msg_type"]))
        if then and when in printed:
            then = then()
    while (reply := client.get_shell_msg(timeout=60))["parent_header"][
        "msg_id"
    ] != request:
        pass
    return reply["content"]["status"], printed, types


SLEEP = """
for outer in progress(range(5), desc="rounds"):
    for number in progress(range(1224), desc="VGG16 features"):
        if number == 32:
            print("now", flush=True)
            time.sleep(60)
"""


def test_an_interrupt_is_told_in_one_sentence_and_the_cell_fails(kernel):
    manager, client = kernel
    status, printed, types = run_cell(client, SLEEP, "now", manager.interrupt_kernel)
    assert status == "error"
    assert printed.endswith(
        "\nstopped at 32 of 1,224 (VGG16 features); run the cell again to go on\n"
    )
    assert "Traceback" not in printed
    assert not {"error", "stderr"} & set(types)


def test_an_interrupt_without_a_bar(kernel):
    """A bar that an earlier cell left behind is not taken for this cell's."""
    manager, client = kernel
    run_cell(client, "left = iter(progress(range(9)))\nnext(left)\n1 / 0")
    code = "print('now', flush=True)\ntime.sleep(60)"
    status, printed, _ = run_cell(client, code, "now", manager.interrupt_kernel)
    assert (status, printed) == ("error", "now\nstopped; run the cell again\n")


def test_an_interrupt_while_threads_work(kernel):
    manager, client = kernel
    code = """
def work(item):
    if item == 3:
        print("now", flush=True)
    time.sleep(0.5 if item >= 3 else 0)

for _ in progress(in_threads(work, range(100), threads=2), total=100, desc="clips"):
    pass
"""
    status, printed, _ = run_cell(client, code, "now", manager.interrupt_kernel)
    assert status == "error"
    assert " of 100 (clips); run the cell again to go on\n" in printed


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "bar = progress(total=3)\nbar.update()",
            " at 1 of 3; run the cell again to go on",
        ),
        (
            "with progress(total=3) as bar:\n    bar.update(2)",
            " at 2 of 3; run the cell again to go on",
        ),
        ("for _ in progress(range(3)):\n    pass", "; run the cell again"),
        (
            (
                "outer = progress(total=5, desc='outer')\n"
                "for _ in progress(range(3), desc='inner'):\n    break\n"
                "outer.update()"
            ),
            " at 1 of 5 (outer); run the cell again to go on",
        ),
        (
            (
                "for step in progress(range(5), desc='outer'):\n"
                "    if step == 2:\n        raise KeyboardInterrupt\n"
                "    for _ in progress(range(3), desc='inner'):\n        break"
            ),
            " at 2 of 5 (outer); run the cell again to go on",
        ),
        (
            (
                "for _ in progress(range(3), desc='outer'):\n"
                "    for _ in progress(range(3), desc='inner'):\n        break\n"
                "outer = progress(range(4), desc='next')"
            ),
            " at 0 of 4 (next); run the cell again to go on",
        ),
        (
            (
                "bar = progress(total=3000, unit='B', unit_scale=True,"
                " desc='fetch')\nbar.update(1500)"
            ),
            " at 1.50k of 3.00k (fetch); run the cell again to go on",
        ),
    ],
)
def test_bars_of_every_kind(kernel, code, sentence):
    """The interrupt comes behind the last line, inside the `with` if there is one."""
    inside = "    " if code.startswith("with") else ""
    status, printed, _ = run_cell(kernel[1], f"{code}\n{inside}raise KeyboardInterrupt")
    assert (status, printed.splitlines()[-1]) == ("error", f"stopped{sentence}")


def test_other_errors_keep_their_traceback(kernel):
    _, client = kernel
    status, _, types = run_cell(client, "1 / 0")
    assert status == "error"
    assert "error" in types
