"""Radar images become patches of three past dates, without speckle: ``arpent forecast prepare``.

python scripts/preprocess_data.py [--data FOLDER] [-o DATASET]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from arpent.errors import InvalidSetting
from arpent.web.site.environment import read_dotenv
from originals import Own, arpent

COMMAND = ("forecast", "prepare")


def words(known: argparse.Namespace) -> list[str]:
    """The folder of images and the data set that is made of it.

    Raises:
        InvalidSetting: nobody says where the images are.
    """
    dotenv = Path(".env")
    given = {**(read_dotenv(dotenv) if dotenv.is_file() else {}), **os.environ}
    folder = known.data or given.get("DATA_PATH", "")
    if not folder:
        raise InvalidSetting(
            "nothing says where the radar images are",
            expected="--data FOLDER, or DATA_PATH in the environment or in .env",
            cure="Say it: preprocess_data.py --data /path/to/images.",
        )
    return [folder, "--output", known.output]


if __name__ == "__main__":
    own = Own("Makes a data set of radar images: speckle removed, dates aligned, masks, sides.")
    own.add_argument("--data", metavar="FOLDER", help="of the images; DATA_PATH of the environment or of .env, else")
    own.add_argument("-o", "--output", metavar="DATASET", default="dataset", help="that is made (dataset)")
    sys.exit(arpent(COMMAND, own, words))
