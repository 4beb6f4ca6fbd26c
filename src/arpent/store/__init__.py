"""Run folders and what lies in them; readable without torch."""

from arpent.store.bundle import FoundBundle, bundles_under, read_contract
from arpent.store.lock import RunLock
from arpent.store.manifest import (
    MANIFEST_FORMAT,
    BundleRecord,
    Failure,
    FileRecord,
    InputRecord,
    Manifest,
    Product,
    ProductKind,
    read_manifest,
)
from arpent.store.place import Place, content_of
from arpent.store.reading import Run, RunEntry, Verification, bundle_in, open_run, runs_under, verify
from arpent.store.remote import stage_of
from arpent.store.run import RunFolder
from arpent.store.seen import seen_in_training

__all__ = [
    "MANIFEST_FORMAT",
    "BundleRecord",
    "Failure",
    "FileRecord",
    "FoundBundle",
    "InputRecord",
    "Manifest",
    "Place",
    "Product",
    "ProductKind",
    "Run",
    "RunEntry",
    "RunFolder",
    "RunLock",
    "Verification",
    "bundle_in",
    "bundles_under",
    "content_of",
    "open_run",
    "read_contract",
    "read_manifest",
    "runs_under",
    "seen_in_training",
    "stage_of",
    "verify",
]
