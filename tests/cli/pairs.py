"""Forks pairs of processes as a launcher would start them, so that the libraries are imported once for all of them.

Started by the fixture ``launch``, with a folder and the cases: names, words of the command, how many processes.
"""

import atexit
import gc
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.parallel
import torch.utils.tensorboard

from arpent.cli.app import main
from arpent.data import PatchLoader, Statistics
from arpent.errors import UnreadableFile
from arpent.report import figures
from arpent.tasks.landcover import LandcoverTask


def warm_up(folder):
    """Uses what is imported or compiled at first use: better before the forks than in each of them."""
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    Statistics(("red",), "uint8").update(np.zeros((1, 8, 8), np.uint8))
    epoch = {"number": 1, "train_loss": 1.0, "validation": {"loss": 1.0, "miou": 0.5}}
    figures.curves([epoch, epoch | {"number": 2}], folder / "curves.png")


def become(rank, world, port, case, folder):
    """Runs the command as one process of `world`; never comes back."""
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / f"{case['name']}.{name}.{rank}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
    if world > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
        os.environ |= {"LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    break_(case.get("broken"), rank, folder / f"{case['name']}.seeds.{rank}")
    code = main(case["words"])
    atexit._run_exitfuncs()
    os._exit(code)  # taking the libraries down would need as long as the training


def break_(what, rank, seeds):
    """Spoils the second process; in all of them, notes what its random numbers come from."""
    loss, read = LandcoverTask.loss, PatchLoader.__call__

    def noted(self, out, batch):
        if torch.is_grad_enabled():
            with seeds.open("a") as lines:
                lines.write(f"{torch.initial_seed()}\n")
        return loss(self, out, batch) * (float("nan") if what == "loss" and rank == 1 else 1)

    def torn(self, ref):
        if what == "image" and rank == 1:
            raise UnreadableFile("far.tif is truncated", cure="Fetch it again.")
        return read(self, ref)

    LandcoverTask.loss, PatchLoader.__call__ = noted, torn


def play(case, folder):
    """Exit codes of the processes of one case."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(case["world"]):
        child = os.fork()
        if not child:
            become(rank, case["world"], port, case, folder)
        children.append(child)
    if "stop_at" in case:
        while not list(Path(case["stop_at"]).rglob("history.jsonl")) and not ended(children[0]):
            time.sleep(0.005)
        for child in children:
            os.kill(child, signal.SIGINT)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def ended(child):
    """Whether a process has ended, which nobody has asked after yet."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def run(folder, cases):
    """How each case ended."""
    answers = {}
    for case in cases:
        began = time.perf_counter()
        codes = play(case, folder)
        name, seconds = case["name"], time.perf_counter() - began
        said = {n: [(folder / f"{name}.{n}.{r}").read_text() for r in range(case["world"])] for n in ("out", "err")}
        answers[name] = {"codes": codes, "seconds": seconds, **said}
    return answers


if __name__ == "__main__":
    warm_up(Path(sys.argv[1]))
    gc.freeze()
    sys.stdout.write(json.dumps(run(Path(sys.argv[1]), json.loads(sys.argv[2]))))
