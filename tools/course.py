"""Where the course lies. Importing this makes `toolbox` and `framevote` importable."""

import sys
from pathlib import Path

COURSE = Path(__file__).resolve().parent.parent
NOTEBOOKS = COURSE / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))
