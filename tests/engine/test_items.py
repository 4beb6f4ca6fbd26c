"""Lists of items: rows in order, faults told and counted, and the same bytes after kill -9."""

import itertools
import json
import random
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.engine import ItemJob, ItemOptions, Product, Rows, run_items
from arpent.engine.behind import gathered
from arpent.errors import FileMissing, Interrupted, InvalidSetting, NoValidPixels, PartialFailure, UnreadableFile
from arpent.store import Place, open_run

COUNT = 70
"""Items of the runs that are killed."""

SCHEMA = pa.schema([("item", pa.int64()), ("total", pa.int64()), ("batch", pa.int64())])


class Totals:
    """Adds up the numbers it sees, from batch to batch; some items are faulty, some are of another shape."""

    def __init__(self, faulty=(), *, seconds=0.0, group=0):
        self.faulty, self.seconds, self.group = faulty, seconds, group
        self.total, self.seen = np.zeros(1, np.int64), []

    def products(self):
        return (Product("totals", "totals", kind="table"), Product("lines", "totals", kind="table", file="lines.jsonl"))

    def name(self, item):
        return f"group {item // self.group}" if self.group else f"item {item}"

    def prepare(self, item):
        self.seen.append(item)
        if item in self.faulty:
            raise UnreadableFile(f"item {item} is cut short", found="half", cure="Take a fresh copy.")
        return np.full(1 + item % 7 // 5, item)

    def alike(self, ready):
        return ready.shape

    def answer(self, batch):
        time.sleep(self.seconds)
        return tuple((int(ready[0]), len(batch)) for ready in batch)

    def take(self, told):
        rows = []
        for item, size in told:
            self.total += item
            rows.append({"item": item, "total": int(self.total[0]), "batch": size})
        return {"totals": Rows(pa.Table.from_pylist(rows, SCHEMA))}

    def state(self):
        return {"total": self.total.copy()}

    def restore(self, arrays):
        self.total = arrays["total"].copy()


def done_into(folder, count=40, faulty=(), *, resume=False, seconds=0.0, every=0.0, group=0, size=3):
    work = Totals(faulty, seconds=seconds, group=group)
    options = ItemOptions(size, 2, fingerprint=str(count), title="numbers", unit="numbers", every=every)
    with Place(exact=Path(folder), resume=resume).begin("describe", "numbers", {}) as run:
        schemas = dict.fromkeys(("totals", "lines"), SCHEMA)
        done = run_items(ItemJob(work, range(count), run, options, schemas, memory=work))
        return work, done, run.finish()


def contents(folder):
    found = {path.name: path.read_bytes() for path in Path(folder).glob("[!.]*")}
    manifest = json.loads(found.pop("manifest.json"))
    passing = ("created", "finished", "attempts", "timings")
    return found, {key: value for key, value in manifest.items() if key not in passing}


def test_rows_come_in_the_order_of_the_items(tmp_path):
    _, done, run = done_into(tmp_path / "run")
    table = pq.read_table(run.path / "totals.parquet")
    assert table["item"].to_pylist() == list(range(40))
    assert table["total"].to_pylist() == np.cumsum(range(40)).tolist()
    assert done.count == 40 and not done.failures and run.manifest.status == "complete"
    assert [json.loads(line)["item"] for line in (run.path / "lines.jsonl").read_text().splitlines()] == list(range(40))
    assert open_run(run.path).manifest.products[0].name == "totals"


def test_a_batch_holds_neighbours_of_one_shape(tmp_path):
    _, _, run = done_into(tmp_path / "run", 14)
    # Items 5, 6 and 12, 13 are of another shape.
    assert pq.read_table(run.path / "totals.parquet")["batch"].to_pylist() == [3, 3, 3, 2, 2, 2, 2, 3, 3, 3, 2, 2, 2, 2]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2)), st.integers(1, 5))
def test_groups_are_neighbours_in_order_and_as_large_as_may_be(entries, size):
    groups = list(gathered(entries, size, lambda entry: entry))
    assert [entry for group in groups for entry in group] == entries
    assert all(len(set(group)) == 1 and len(group) <= size for group in groups)
    for one, following in itertools.pairwise(groups):
        assert len(one) == size or one[0] != following[0]


def test_a_faulty_item_is_told_and_counted_and_the_others_go_on(tmp_path):
    _, done, run = done_into(tmp_path / "run", 12, {4, 5, 11})
    assert pq.read_table(run.path / "totals.parquet")["item"].to_pylist() == [0, 1, 2, 3, 6, 7, 8, 9, 10]
    assert [(failed.number, failed.name) for failed in done.failures] == [(n, f"item {n}") for n in (4, 5, 11)]
    assert done.count == 9 and run.manifest.status == "partial"
    assert run.manifest.failures[0].item == "item 4" and "cut short (found half)" in run.manifest.failures[0].message


def test_items_of_one_name_fall_together_from_the_faulty_one_on(tmp_path):
    _, done, run = done_into(tmp_path / "run", 20, {6, 8}, group=5)
    assert pq.read_table(run.path / "totals.parquet")["item"].to_pylist() == [*range(6), *range(10, 20)]
    assert [failed.name for failed in done.failures] == ["group 1"]


def test_where_nothing_can_be_done_it_fails(tmp_path):
    with pytest.raises(UnreadableFile, match="item 0 is cut short"):
        done_into(tmp_path / "one", 1, {0})
    with pytest.raises(PartialFailure, match="none of 3 numbers could be done; first: item 0"):
        done_into(tmp_path / "all", 3, {0, 1, 2})
    assert not list(tmp_path.glob("*/*.parquet"))


def test_an_empty_list_gives_an_empty_table(tmp_path):
    _, done, run = done_into(tmp_path / "run", 0)
    assert done.count == 0 and pq.read_table(run.path / "totals.parquet").schema.names == SCHEMA.names


@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError, FileMissing])
def test_what_is_no_items_fault_stops_the_run(tmp_path, problem, monkeypatch):
    def stops(self, batch):
        if 9 in [int(ready[0]) for ready in batch]:
            raise problem("here", cure="x") if problem is FileMissing else problem
        return answers(self, batch)

    answers = Totals.answer
    expected = Interrupted if problem is KeyboardInterrupt else problem
    with monkeypatch.context() as patch, pytest.raises(expected):
        patch.setattr(Totals, "answer", stops)
        done_into(tmp_path / "run")
    work, done, _ = done_into(tmp_path / "run", resume=True)
    assert min(work.seen) == 7 and done.count == 40  # 7, 8 and 9 share a batch
    done_into(tmp_path / "whole")
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_another_list_does_not_go_on_with_this_one(tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(NoValidPixels):
        patch.setattr(Totals, "state", lambda self: (_ for _ in ()).throw(NoValidPixels("here", cure="x")))
        done_into(tmp_path / "run")
    ledger = tmp_path / "run" / ".scratch" / "ledger.json"
    ledger.write_text(json.dumps({"fingerprint": "another"}))
    with pytest.raises(InvalidSetting, match="other inputs"):
        done_into(tmp_path / "run", resume=True)


def items_done(folder):
    ledger = Path(folder) / ".scratch" / "ledger.json"
    return json.loads(ledger.read_text())["next_row"] if ledger.exists() else 0


@pytest.mark.slow
def test_killed_at_many_moments_and_resumed_every_file_is_the_same_to_the_byte(tmp_path, launcher):
    chance, moments = random.Random(2), []
    call = "test_items.done_into(folder, test_items.COUNT, {7, 33}, resume=True, seconds=0.01)"
    with launcher("pandas, test_items", call) as runs:
        assert not runs.killed(tmp_path / "whole", 60)
        for items in (0, 9, 40):
            folder = tmp_path / f"killed{len(list(tmp_path.glob('killed*/manifest.json')))}"
            killed = runs.killed(folder, 0.05 * chance.random(), lambda: items_done(folder) >= items)  # noqa: B023
            if killed and not (folder / "manifest.json").exists():
                moments.append(items_done(folder))
        assert len(set(moments)) >= 2, moments
        assert (folder / "manifest.json").exists() or not runs.killed(folder, 60)
    ends = [path.parent for path in tmp_path.glob("killed*/manifest.json")]
    assert ends
    for end in ends:
        assert contents(end) == contents(tmp_path / "whole")
    assert len(contents(tmp_path / "whole")[1]["failures"]) == 2
