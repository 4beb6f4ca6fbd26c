"""What the segmentation network makes of every date: ``arpent forecast features``.

python scripts/extract_features.py [--checkpoint MODEL]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from arpent.store import Place
from arpent.tasks.forecast.dataset import Dataset
from originals import Own, arpent, say

COMMAND = ("forecast", "features")
THEIRS = "best_cnn.pth"
"""What the original's training leaves behind; Arpent's leaves a run."""


def words(known: argparse.Namespace) -> list[str]:
    """The data set and the model: the one that is named, or the last one of this data set for the original's name.

    Raises:
        FileMissing: there is no such model.
    """
    model = Path(known.checkpoint)
    if known.checkpoint == THEIRS and not model.exists():
        from arpent.tasks.forecast.training import latest_segmentation

        model = latest_segmentation(Dataset.read(Path(known.dataset)), Place())
        say(f"no file {known.checkpoint}: the model is that of the last training, {model}", sys.argv[1:])
    return [known.dataset, "--model", str(model)]


if __name__ == "__main__":
    own = Own("Embeds every date of a data set by the network that train_segmentation.py has trained.")
    own.add_argument("--dataset", default="dataset", help="that preprocess_data.py has made (dataset)")
    own.add_argument(
        "--checkpoint",
        metavar="MODEL",
        default=THEIRS,
        help=f"bundle, or the run that made it; for {THEIRS}, the last one in runs/ for this data set",
    )
    sys.exit(arpent(COMMAND, own, words))
