#!/usr/bin/env python
"""Commands of the map: ``python manage.py migrate | runserver | load_predictions | register | rebuild``."""

import sys

from arpent.web.site.managing import main

if __name__ == "__main__":
    sys.exit(main(sys.argv))
