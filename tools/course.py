"""Where the course lies. Importing this makes `toolbox` and `lessons` importable."""

import sys
from pathlib import Path

COURSE = Path(__file__).resolve().parent.parent
NOTEBOOKS = COURSE / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))


def exit_with(main):
    """End the program with the exit code that `main()` returns; Ctrl-C ends it in a
    sentence.
    """
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print(
            "\nStopped. Run the same command again: it goes on where it was.",
            file=sys.stderr,
        )
        sys.exit(130)
