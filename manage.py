#!/usr/bin/env python
"""Commands of the map: ``python manage.py migrate | runserver | load_predictions | register | rebuild``."""

import sys

try:
    from arpent.web.site.managing import main
except ModuleNotFoundError as missing:
    sys.exit(f"{sys.executable} has no module {missing.name}: activate Arpent's environment, source .venv/bin/activate")

if __name__ == "__main__":
    sys.exit(main(sys.argv))
