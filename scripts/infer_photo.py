"""All pictures of a configuration of Planaura, compared: ``arpent change photo``.

python scripts/infer_photo.py CONFIG.yaml
"""

from __future__ import annotations

import sys

from originals import Own, arpent

COMMAND = ("change", "photo")

if __name__ == "__main__":
    sys.exit(arpent(COMMAND, Own("Compares the ordinary pictures of a Planaura configuration."), lambda known: []))
