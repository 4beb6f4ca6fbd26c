"""The folder that holds a trained describer: adapter, LoRA as peft keeps it, tokenizer, and a contract that pins them.

The language model underneath is named and pinned, not copied; only a small one, which nobody else has published, lies
in the folder itself. ::

    describer/
    ├── bundle.json
    ├── vision_adapter.safetensors
    ├── lora/          adapter_config.json, adapter_model.safetensors: peft opens it
    ├── tokenizer/
    └── base/          of a small language model alone
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import nn

from arpent.core.bundle import FOLDER_HEADER, contract_document, encode_contract, read_contract
from arpent.core.contract import Contract
from arpent.core.hashing import file_sha256
from arpent.core.settings import Settings, parse
from arpent.core.writing import publish_folder, write_file, writing
from arpent.errors import BundleInvalid, ContractMismatch, WeightsMismatch
from arpent.models.describer import VisionAdapter, VisionLanguage, without_peft_warnings
from arpent.models.describer_settings import DescriberSettings
from arpent.models.language_model import LanguageModel, Speech, language_folder, open_language_model, read_speech
from arpent.models.load import changed_since_saved, check_place, load_state, read_tensors

__all__ = ["ADAPTER", "DescriberFacts", "OpenedDescriber", "base_pins", "open_describer", "save_describer"]

ADAPTER = "vision_adapter.safetensors"
"""Name of the adapter's file."""

_LORA, _SPEECH, _BASE = "lora", "tokenizer", "base"
_ARCHITECTURE = "describer"


class DescriberFacts(Settings):
    """What a describer's contract says in its settings."""

    adapter: DescriberSettings = DescriberSettings()
    """Shape of the adapter and of LoRA."""
    base: str = ""
    """Language model underneath: a folder, a name of the catalog or a hub's; empty where it lies in the bundle."""
    base_sha256: Mapping[str, Annotated[str, Field(min_length=64, max_length=64)]] = {}
    """Hashes of its configuration and weights."""
    profile: Literal["arpent", "xvision"] = "arpent"
    """Axes and thresholds of its texts."""
    encoder: str = ""
    """Identity of the encoder that made the visual tokens: a hash, or what stands for random weights."""
    encoder_name: str = ""
    """How that encoder is called."""
    encoder_drawn: str = ""
    """What tells whether another machine draws the same random weights for it; empty where they are trained."""
    longest: Annotated[int, Field(ge=1)] = 256
    """Words of the longest answer that was learnt, with some room."""


@dataclass(frozen=True)
class OpenedDescriber:
    """A describer, ready to run.

    Attributes:
        model: in evaluation mode.
        speech: its tokenizer.
        facts: of its contract.
        contract: the whole of it.
    """

    model: VisionLanguage
    speech: Speech
    facts: DescriberFacts
    contract: Contract


def save_describer(
    folder: Path, model: VisionLanguage, base: LanguageModel, contract: Contract, *, published: bool = False
) -> Path:
    """Writes a describer's folder, whole or not at all; a bundle that is there is replaced.

    Args:
        folder: to be made.
        model: adapter and LoRA.
        base: the language model underneath, with its tokenizer; its weights are copied if `DescriberFacts.base` is
            empty.
        contract: with the `DescriberFacts` as its settings; the parts are pinned here.
        published: also write the files that XVision's programs look for: ``vision_adapter.pt`` and
            ``qwen2_lora_multimodal/``.

    Returns:
        The folder.

    Raises:
        NotWritable: the place cannot be written, or is a folder that holds something other than a bundle.
    """
    from transformers.utils import logging

    check_place(folder)
    facts = parse(DescriberFacts, dict(contract.settings), "describer")
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with writing(folder):
            beside.mkdir(parents=True)
            state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.adapter.state_dict().items()}
            save_file(state, beside / ADAPTER)
            _save_lora(model.language, beside / _LORA)
            base.speech.save(beside / _SPEECH)
            if not facts.base:
                logging.disable_progress_bar()  # there is one progress bar, and it is not theirs
                _plain(model.language).save_pretrained(beside / _BASE)  # type: ignore[operator]  # transformers' method
            if published:
                torch.save(state, beside / "vision_adapter.pt")
                shutil.copytree(beside / _LORA, beside / "qwen2_lora_multimodal")
            files = sorted(file for file in beside.rglob("*") if file.is_file())
            parts = {file.relative_to(beside).as_posix(): file_sha256(file) for file in files}
            document = contract_document(contract.model_copy(update={"parts": parts}))
            write_file(beside / FOLDER_HEADER, encode_contract(document, indent=2) + "\n")
            publish_folder(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def open_describer(
    path: Path | str, *, base: str | None = None, dtype: Literal["f32", "bf16", "f16"] = "f32", merged: bool = True
) -> OpenedDescriber:
    """A describer from its folder.

    Args:
        path: the folder, or its ``bundle.json``.
        base: the language model underneath, where it lies elsewhere than in training.
        dtype: of the language model's weights.
        merged: fold LoRA into the language model, which answers faster and cannot be trained on.

    Raises:
        FileMissing, BundleInvalid: nothing there, damaged, or something else.
        WeightsMissing: the language model is not on this machine.
        ContractMismatch: it is another one than in training.
    """
    from peft import PeftModel

    folder = Path(path)
    folder = folder.parent if folder.name == FOLDER_HEADER else folder
    contract = read_contract(folder)
    if contract.architecture != _ARCHITECTURE:
        raise BundleInvalid(
            f"{folder} is no model that describes",
            found=f"a '{contract.architecture}' for {contract.task}",
            cure="Train one with 'arpent describe train'.",
        )
    facts = parse(DescriberFacts, dict(contract.settings), str(folder))
    _check_parts(folder, contract)
    source = base or (facts.base if facts.base else folder / _BASE)
    if facts.base_sha256:
        _check_base(source, facts, folder)
    with torch.random.fork_rng(devices=[]):
        language = open_language_model(source, dtype=dtype, speech=read_speech(folder / _SPEECH))
        with without_peft_warnings():
            bent = PeftModel.from_pretrained(language.model, folder / _LORA, is_trainable=False)
        model = VisionLanguage(facts.adapter, bent.merge_and_unload() if merged else bent, language.speech.placeholder)
    load_state(model.adapter, read_tensors(folder / ADAPTER), str(folder / ADAPTER))
    _check_fit(model.adapter, language, folder)
    return OpenedDescriber(model.eval().requires_grad_(False), language.speech, facts, contract)


def base_pins(source: str | Path) -> dict[str, str]:
    """Hashes of a language model's configuration and weights, by file name; empty where there is none."""
    folder = language_folder(source)
    if folder is None:
        return {}
    files = sorted([*folder.glob("*.safetensors"), folder / "config.json"])
    return {file.name: file_sha256(file) for file in files if file.is_file()}


def _save_lora(language: nn.Module, folder: Path) -> None:
    """As peft keeps it, without the page that it writes for a hub."""
    language.save_pretrained(folder, save_embedding_layers=False)  # type: ignore[operator]  # peft's method
    (folder / "README.md").unlink(missing_ok=True)


def _plain(language: nn.Module) -> nn.Module:
    """A copy of the language model underneath, without LoRA in it."""
    import copy

    bare: nn.Module = copy.deepcopy(language).unload()  # type: ignore[operator]  # peft's method
    return bare


def _check_parts(folder: Path, contract: Contract) -> None:
    """Compares the hashes of all parts."""
    for name, sha256 in contract.parts.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise BundleInvalid(f"{folder} names a part outside itself", found=name, cure="Take a fresh copy.")
        if not file.is_file():
            raise BundleInvalid(f"{folder} lacks its part {name}", cure="Take a fresh copy of the whole folder.")
        if file_sha256(file) != sha256:
            raise changed_since_saved(file)
    if ADAPTER not in contract.parts:
        raise BundleInvalid(f"{folder} lacks its part {ADAPTER}", cure="Take a fresh copy of the whole folder.")


def _check_base(source: str | Path, facts: DescriberFacts, folder: Path) -> None:
    """Refuses another language model than that of training; one that is missing is told when it is opened."""
    found = base_pins(source)
    if found and found != dict(facts.base_sha256):
        differing = sorted(name for name in facts.base_sha256 if found.get(name) != facts.base_sha256[name])
        raise ContractMismatch(
            f"{source} is not the language model that {folder} was trained on",
            found=f"other {', '.join(differing) or 'files'}",
            expected=facts.base,
            cure="Give the one that it was trained on: --base FOLDER.",
        )


def _check_fit(adapter: VisionAdapter, language: LanguageModel, folder: Path) -> None:
    if adapter.leave.out_features != language.width:
        raise WeightsMismatch(
            f"the adapter of {folder} is made for another language model",
            found=f"{adapter.leave.out_features} numbers per word",
            expected=language.width,
            cure="Give the language model that it was trained on: --base FOLDER.",
        )
