"""Bundles for programs that are not Arpent: ONNX and OpenVINO, with the contract inside."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from arpent.core.bundle import HEADER_KEY, contract_document, encode_contract
from arpent.core.writing import publish_file, writing
from arpent.errors import ExtraMissing, InvalidSetting, UnknownName
from arpent.models.exported import Exported, exported
from arpent.models.load import Bundle, save_bundle
from arpent.models.openvino import openvino

__all__ = ["EXPORTS", "export"]

_OPSET = 17  # the newest that torch's tracing exporter writes; onnxruntime has read it since 1.12


def export(bundle: Bundle, path: Path | str, to: str) -> Path:
    """Write a bundle's network in another format; numbers of images, rows and columns stay free.

    Args:
        bundle: the network and its contract, which goes into the file's own metadata under the key ``arpent``.
        path: the file to write: ``.safetensors``, ``.onnx``, or ``.xml`` for OpenVINO, which puts its weights in a
            ``.bin`` beside it.
        to: one of `EXPORTS`.

    Raises:
        UnknownName: no such format.
        InvalidSetting: a network that takes more than one image, or a path with another ending.
        ExtraMissing: the format's library is not installed.
    """
    path = Path(path)
    if to not in EXPORTS:
        raise UnknownName.among(to, EXPORTS, "export format")
    suffix, write = EXPORTS[to]
    if path.suffix != suffix:
        raise InvalidSetting(
            f"a model in the format '{to}' ends in {suffix}", found=path.name, cure=f"Name it {path.stem}{suffix}."
        )
    return write(bundle, path)


def _safetensors(bundle: Bundle, path: Path) -> Path:
    return save_bundle(path, bundle.model, bundle.contract)


def _onnx(bundle: Bundle, path: Path) -> Path:
    try:
        import onnx
    except ImportError as error:
        raise ExtraMissing.of("fast", "exporting to ONNX") from error
    traced = exported(bundle)
    with _beside(path) as file:
        _trace(traced, file)
        graph = onnx.load(file)
        onnx.helper.set_model_props(graph, {HEADER_KEY: _contract(bundle)})
        onnx.save(graph, file)
        return publish_file(file, path)


def _trace(traced: Exported, file: Path) -> None:
    """Writes a network as ONNX."""
    with warnings.catch_warnings(), torch.no_grad():
        # torch points at its newer exporter, which needs a package more and writes the same graph.
        warnings.simplefilter("ignore", DeprecationWarning)
        # torch's own LSTM looks at the size of its weights, which do not change.
        warnings.filterwarnings("ignore", "Converting a tensor to a Python boolean", module=r"torch\.nn\.modules\.rnn")
        # It warns of every LSTM whose batch may change, whether or not its first state is given, which is the danger.
        warnings.filterwarnings("ignore", "Exporting a model to ONNX with a batch_size other than 1", UserWarning)
        torch.onnx.export(
            traced.module,
            traced.example,
            file,
            dynamo=False,
            opset_version=_OPSET,
            input_names=list(traced.free),
            output_names=[traced.answer[0]],
            dynamic_axes=traced.axes,
        )


def _openvino(bundle: Bundle, path: Path) -> Path:
    try:
        library = openvino()
    except ImportError as error:
        raise ExtraMissing.of("fast", "exporting to OpenVINO") from error
    traced = exported(bundle)
    with _beside(path) as file:
        with warnings.catch_warnings(), torch.no_grad():
            # An LSTM keeps a second list of its weights; they are the same tensors.
            warnings.filterwarnings("ignore", "The tensor attributes .* were assigned during export", UserWarning)
            free = tuple(dict.fromkeys(axes, torch.export.Dim.AUTO) for axes in traced.free.values())
            program = torch.export.export(traced.module, traced.example, dynamic_shapes=free)
        graph = library.convert_model(program)
        graph.set_rt_info(_contract(bundle), [HEADER_KEY])
        library.save_model(graph, file, compress_to_fp16=False)
        # The graph comes last: without it the weights beside it are nobody's.
        publish_file(file.with_suffix(".bin"), path.with_suffix(".bin"))
        return publish_file(file, path)


EXPORTS: Mapping[str, tuple[str, Callable[[Bundle, Path], Path]]] = {
    "onnx": (".onnx", _onnx),
    "openvino": (".xml", _openvino),
    "safetensors": (".safetensors", _safetensors),
}
"""By name: the file ending, and the function that writes it."""


def _contract(bundle: Bundle) -> str:
    return encode_contract(contract_document(bundle.contract))


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A file to be written, in a folder beside its place that goes in any case."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with writing(path):
            scratch.mkdir(parents=True)
            yield scratch / path.name
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
