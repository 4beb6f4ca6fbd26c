"""All pairs of a configuration of Planaura, compared and fused: ``arpent change run``.

python scripts/infer_geotiff.py CONFIG.yaml
"""

from __future__ import annotations

import sys

from originals import Own, arpent

COMMAND = ("change", "run")

if __name__ == "__main__":
    sys.exit(arpent(COMMAND, Own("Compares all pairs of a Planaura configuration."), lambda known: []))
