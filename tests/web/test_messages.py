"""The words of the page: each has its French, and what Django reads is what people edited."""

import subprocess
import sys


def test_every_word_of_the_page_has_its_french(root):
    done = subprocess.run(
        [sys.executable, root / "scripts" / "messages.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
