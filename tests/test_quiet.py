"""toolbox.page.quiet: what is silenced, and that it ends."""

import os
import subprocess
import sys

from toolbox.page.quiet import quiet_start

import pytest
from clips import COURSE


def test_what_compiled_libraries_say_is_hidden_until_the_block_ends(capfd):
    os.write(2, b"before ")
    with pytest.raises(RuntimeError), quiet_start():
        os.write(2, b"hidden ")
        raise RuntimeError
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_keras_is_imported_quietly_and_only_when_it_is_used():
    code = "import toolbox.page, sys; assert 'keras' not in sys.modules\n"
    code += "from toolbox.page import keras; assert keras.Model"
    command = [sys.executable, "-c", code]
    run = subprocess.run(
        command, cwd=COURSE / "notebooks", capture_output=True, check=True
    )
    assert (run.stdout, run.stderr) == (b"", b"")
