"""toolbox.page.quiet: what is silenced, and that it ends."""

import os

from toolbox.page.quiet import quiet_start

import pytest


def test_what_compiled_libraries_say_is_hidden_while_the_block_runs(capfd):
    os.write(2, b"before ")
    with quiet_start():
        os.write(2, b"hidden ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_an_error_ends_the_silence_too(capfd):
    with pytest.raises(RuntimeError), quiet_start():
        raise RuntimeError
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
