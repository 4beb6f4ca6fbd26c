"""An LSTM learns to carry radar series on by three dates: ``arpent forecast train``.

python scripts/train_lstm.py --epochs 30 --batch-size 8
"""

from __future__ import annotations

import sys

from originals import Own, arpent

COMMAND = ("forecast", "train")

if __name__ == "__main__":
    own = Own("Trains an LSTM on features of the last dates to foretell the masks of the next ones.")
    own.add_argument("--dataset", default="dataset", help="that preprocess_data.py has made (dataset)")
    sys.exit(arpent(COMMAND, own, lambda known: [known.dataset]))
