"""A network learns the class of each radar pixel: ``arpent forecast train-segmentation``.

python scripts/train_segmentation.py --epochs 50 --batch-size 16
"""

from __future__ import annotations

import sys

from originals import Own, arpent

COMMAND = ("forecast", "train-segmentation")

if __name__ == "__main__":
    own = Own("Trains a network to tell the class of each pixel of a radar image.")
    own.add_argument("--dataset", default="dataset", help="that preprocess_data.py has made (dataset)")
    sys.exit(arpent(COMMAND, own, lambda known: [known.dataset]))
