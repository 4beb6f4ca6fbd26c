"""Bundles: saving a network with its contract, and getting both back exactly."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from arpent.core.bundle import (
    DIGEST_KEY,
    FOLDER_HEADER,
    HEADER_KEY,
    bundle_sha256,
    contract_document,
    decode_contract,
    encode_contract,
    read_document,
)
from arpent.core.contract import Contract
from arpent.core.hashing import file_sha256
from arpent.core.writing import publish_file, publish_folder, write_file, writing
from arpent.errors import BundleInvalid, InvalidSetting, NotWritable, WeightsMismatch
from arpent.models.registry import architecture, build

__all__ = [
    "Bundle",
    "Origin",
    "changed_since_saved",
    "check_place",
    "load_bundle",
    "load_state",
    "read_tensors",
    "save_bundle",
]

SUFFIX = ".safetensors"
_REST = "model"  # the part of a folder bundle that holds tensors of no submodule
_OTHER_FORMATS = {".bin", ".ckpt", ".onnx", ".pt", ".pth", ".xml"}
_LISTED = 8  # names of tensors that an error shows before it only counts


@dataclass(frozen=True)
class Bundle:
    """A network together with what it demands of its images.

    Attributes:
        model: the network, in evaluation mode, on the CPU.
        contract: the contract.
        origin: how another process comes to the same network; None where it was not read from a file.
    """

    model: nn.Module
    contract: Contract
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Origin:
    """How a bundle was read, told to another process in the place of its weights.

    Attributes:
        read: a function of a module, which gives the bundle.
        path: what it is given: an absolute path.
        more: what else it is given.
    """

    read: Callable[..., Bundle]
    path: Path
    more: tuple[Any, ...] = ()

    def sha256(self) -> str:
        """Of the file, or of the ``bundle.json`` of a folder."""
        return bundle_sha256(self.path)

    def again(self, sha256: str) -> Bundle:
        """The bundle, read once more; where the last one that this process has asked for was the same, that one.

        Args:
            sha256: what `sha256` gave where it was told of.

        Raises:
            BundleInvalid: another model lies there.
        """
        asked = (self, sha256)
        if _AGAIN.get("asked") != asked:
            found = self.sha256()
            if found != sha256:
                raise BundleInvalid(
                    f"another model lies at {self.path}", found=found, expected=sha256, cure="Give all nodes the same."
                )
            _AGAIN.clear()
            _AGAIN.update(asked=asked, bundle=self.read(self.path, *self.more))
        bundle: Bundle = _AGAIN["bundle"]
        return bundle


_AGAIN: dict[str, Any] = {}
"""The last bundle that was read again: the works of a list share their model."""


def save_bundle(path: Path | str, model: nn.Module, contract: Contract) -> Path:
    """Write a bundle: one file when `path` ends in ``.safetensors``, else a folder with one part per submodule.

    The bytes depend on the weights and the contract alone. The bundle takes its name when it is whole, so that a
    failed write leaves an earlier bundle of that name as it was.

    Raises:
        NotWritable: the place cannot be written, or is a folder that holds something other than a bundle.
        DiskFull: no space left.
    """
    path = Path(path)
    check_place(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    state = {name: _plain(tensor) for name, tensor in model.state_dict().items()}
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == SUFFIX:
                document = contract_document(contract)
                pinned = {**document, DIGEST_KEY: _digest(document, state)}
                _write_tensors(beside, state, {HEADER_KEY: encode_contract(pinned)})
                publish_file(beside, path)
            else:
                _write_folder(beside, _by_part(model, state), contract)
                publish_folder(beside, path)
    finally:
        _discard(beside)
    return path


def load_bundle(path: Path | str) -> Bundle:
    """Build the network that a bundle's contract names, and give it the bundle's weights.

    Raises:
        FileMissing: nothing is there.
        BundleInvalid: no bundle, damaged, of a later format, or of a network as it was once made.
        WeightsMismatch: the weights are not those of the architecture that the contract names.
    """
    path = Path(path)
    document = read_document(path)
    contract = decode_contract(document, path)
    if contract.architecture == "describer":
        raise BundleInvalid(
            f"{path} is a model that describes, and no network by itself",
            cure="Use it with 'arpent describe generate', or open it with arpent.models.open_describer.",
        )
    state = _read_parts(path, contract) if path.is_dir() else _read_single(path, document)
    hallmark = architecture(contract.architecture).hallmark
    if hallmark is not None and hallmark not in state:
        raise BundleInvalid(
            f"{path} holds a network of an earlier make, which this version cannot run",
            found=f"'{contract.architecture}' without {hallmark}, written by arpent {contract.arpent}",
            cure="Train it anew, or run it with the version that wrote it.",
        )
    # Building a network draws random weights; training that goes on after a load must not notice.
    with torch.random.fork_rng(devices=[]):
        model = build(contract.architecture, contract.settings)
    load_state(model, state, str(path))
    return Bundle(model.eval(), contract, Origin(load_bundle, path.absolute()))


def load_state(model: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Give `model` the tensors of `state`: all of them, no others, each of its own shape.

    Raises:
        WeightsMismatch: lists what is missing, unexpected or misshapen; `where` names the source.
    """
    own = model.state_dict()
    problems = []
    if missing := [name for name in own if name not in state]:
        problems.append(f"missing {_listed(missing)}")
    if unexpected := [name for name in state if name not in own]:
        problems.append(f"unexpected {_listed(unexpected)}")
    misshapen = [
        f"{name} {_size(state[name])} for {_size(own[name])}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if misshapen:
        problems.append(f"misshapen {_listed(misshapen)}")
    if problems:
        raise WeightsMismatch(
            f"the weights of {where} do not fit the network",
            found="; ".join(problems),
            expected=f"the {len(own)} tensors of its architecture",
            cure="Check the architecture and its settings, or the layout the weights were imported as.",
        )
    model.load_state_dict(dict(state))


def check_place(path: Path) -> None:
    """Refuses to put a bundle in the place of what is none.

    Raises:
        InvalidSetting: it has the name of another format.
        NotWritable: it is a folder that holds something else.
    """
    if path.suffix in _OTHER_FORMATS:
        raise InvalidSetting(
            f"{path} is not a name for a bundle",
            expected=f"a name that ends in {SUFFIX}, or that of a folder",
            cure=f"Name it {path.with_suffix(SUFFIX)}.",
        )
    strange = path.is_dir() and any(path.iterdir()) and not (path / FOLDER_HEADER).is_file()
    if strange or (path.is_dir() and path.suffix == SUFFIX):
        raise NotWritable(
            f"{path} is a folder that holds something other than a bundle",
            cure=f"Name a new folder, or a file that ends in {SUFFIX}.",
        )


def _write_folder(folder: Path, parts: Mapping[str, dict[str, Tensor]], contract: Contract) -> None:
    folder.mkdir()
    hashes = {}
    for name, tensors in parts.items():
        file = folder / f"{name}{SUFFIX}"
        _write_tensors(file, tensors, None)
        hashes[file.name] = file_sha256(file)
    pinned = contract_document(contract.model_copy(update={"parts": hashes}))
    write_file(folder / FOLDER_HEADER, encode_contract(pinned, indent=2) + "\n")


def _write_tensors(file: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None) -> None:
    # The library makes files that their owner alone may read; an empty file of our own tells what is usual here.
    file.touch()
    usual = stat.S_IMODE(file.stat().st_mode)
    try:
        save_file(tensors, file, metadata=metadata)
    except SafetensorError as error:
        # The library hides the system's error number in its text, in older releases as its own language tells it.
        number = re.search(r"(?:os error|code:) (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
    file.chmod(usual)
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def _discard(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def _read_single(path: Path, document: Mapping[str, Any]) -> dict[str, Tensor]:
    state = read_tensors(path)
    written = {key: value for key, value in document.items() if key != DIGEST_KEY}
    try:
        found = _digest(written, state)
    except ValueError as error:  # numbers or letters that no contract is written with
        raise changed_since_saved(path) from error
    if found != document.get(DIGEST_KEY):
        raise changed_since_saved(path)
    return state


def _read_parts(folder: Path, contract: Contract) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for name, sha256 in contract.parts.items():
        file = folder / name
        if Path(name).name != name or file.suffix != SUFFIX:
            raise BundleInvalid(
                f"{folder} names a part that cannot be one of its files", found=name, cure="Take a fresh copy."
            )
        if not file.is_file():
            raise BundleInvalid(f"{folder} lacks its part {name}", cure="Take a fresh copy of the whole folder.")
        if file_sha256(file) != sha256:
            raise changed_since_saved(file)
        prefix = "" if file.stem == _REST else f"{file.stem}."
        state |= {f"{prefix}{key}": tensor for key, tensor in read_tensors(file).items()}
    return state


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors in a part of a bundle, by name.

    Raises:
        BundleInvalid: it is damaged.
    """
    try:
        state: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise BundleInvalid(
            f"{file} is damaged", found=str(error), cure="Take a fresh copy, or export the model again."
        ) from error
    return state


def changed_since_saved(file: Path) -> BundleInvalid:
    """The error for a part whose content is not what its contract says."""
    return BundleInvalid(
        f"{file} is not as it was saved",
        found="another SHA-256 than its contract gives",
        cure="Take a fresh copy, or export the model again.",
    )


def _by_part(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    children = [name for name, _ in model.named_children()]
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        child, _, rest = key.partition(".")
        part, name = (child, rest) if child in children and child != _REST else (_REST, key)
        parts.setdefault(part, {})[name] = tensor
    return parts


def _plain(tensor: Tensor) -> Tensor:
    """A copy that shares no memory and lies in row order, whatever the network's memory format."""
    return tensor.detach().cpu().contiguous(memory_format=torch.contiguous_format).clone()


def _digest(document: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    """SHA-256 over the contract, then the tensors' names, types, shapes and values in the order of the names."""
    total = hashlib.sha256(encode_contract(document).encode())
    for name in sorted(state):
        tensor = state[name]
        total.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _size(tensor: Tensor) -> str:
    return "×".join(str(side) for side in tensor.shape) or "scalar"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"
