"""Predictions come on the map: ``python manage.py load_predictions``.

python scripts/load_predictions.py --file preds.geojson
"""

from __future__ import annotations

import shlex
import sys

from arpent.web.site.managing import main
from originals import say

if __name__ == "__main__":
    words = ["manage.py", "load_predictions", *sys.argv[1:]]
    say(shlex.join(["python", *words]), sys.argv[1:])
    sys.exit(main(words))
