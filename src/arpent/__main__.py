"""``python -m arpent``: the same as the command ``arpent``."""

import sys

from arpent.cli.app import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
