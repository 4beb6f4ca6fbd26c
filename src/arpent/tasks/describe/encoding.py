"""The encoder of images: pixels to tokens, tokens to the embeddings and visual tokens of parcels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self, cast

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from arpent.core import Raster, ground_sampling_distance
from arpent.data import Normaliser
from arpent.engine import Network, Precision, RuntimeName, start_network
from arpent.engine.behind import gathered
from arpent.errors import ContractMismatch
from arpent.models import Croma
from arpent.tasks.describe.embed_settings import EmbedSettings
from arpent.tasks.describe.embedding_table import RANDOM, EncoderFacts
from arpent.tasks.describe.encoders import OpenEncoder, open_encoder
from arpent.tasks.describe.encoding_work import Encoding, TileOf
from arpent.tasks.describe.parcels import Parcels
from arpent.tasks.describe.pooling import visual_tokens
from arpent.tasks.describe.scene_plan import EncodedScene, Tiling
from arpent.tasks.describe.seen import Seen

__all__ = ["Encoder", "visual_tokens"]

_SAVED: Mapping[Precision, float] = {"f32": 0.01, "bf16": 0.03}
"""CPU seconds that OpenVINO saves on each block of a tile of 120 px, at the width of CROMA large."""


class _Tokens(nn.Module):
    """The optical encoder alone, as runtimes run it."""

    def __init__(self, model: Croma) -> None:
        super().__init__()
        self.croma = model.part("optical")

    def forward(self, images: Tensor) -> Tensor:
        """Tokens ``(B, N, width)`` of images ``(B, bands, H, W)``."""
        tokens = self.croma(images).optical
        assert tokens is not None  # images were given
        return cast(Tensor, tokens)


class Encoder:
    """A network that turns pixels into tokens; made by `open`.

    Attributes:
        name: for people.
        identity: SHA-256 of its bundle or file, or a word that begins with "random:".
        random: whether its weights were never trained.
        width: of a token.
        patch: side in pixels of what a token stands for.
        contract: what it demands of images.
        source: its bundle or file; None for random weights.
        drawn: what tells whether another machine draws the same random weights; empty for trained ones.
    """

    def __init__(self, opened: OpenEncoder, runtime: RuntimeName, device: str, precision: Precision) -> None:
        model = opened.bundle.model
        assert isinstance(model, Croma)  # `open_encoder` has seen to it
        self.name, self.identity, self.source = opened.name, opened.identity, opened.source
        self.random, self.drawn = self.identity.startswith(RANDOM), opened.drawn
        self.contract = opened.bundle.contract
        self.width, self.patch, self._depth = model.settings.width, model.settings.patch, model.settings.depth
        self._module = _Tokens(model)
        self._wanted = runtime, device, precision
        self._network: Network | None = None
        assert self.contract.normalisation is not None  # `open_encoder` has seen to it
        self.statistics = self.contract.normalisation
        self._normaliser = Normaliser(self.statistics)

    @classmethod
    def open(
        cls,
        source: str | Path = "croma-large",
        *,
        random_init: bool = False,
        seed: int = 0,
        runtime: RuntimeName = "torch",
        device: str = "auto",
        precision: Precision = "f32",
    ) -> Self:
        """An encoder by its name or path, ready to run.

        Args:
            source: croma-large, croma-base, croma-tiny, a bundle, or a file of weights.
            random_init: random weights for an encoder that is named.
            seed: of these.
            runtime: what runs it.
            device: where.
            precision: of its arithmetic.

        Raises:
            WeightsMissing, UnknownName, BundleInvalid, WeightsMismatch, InvalidSetting: as `open_encoder`.
        """
        return cls(open_encoder(source, random_init=random_init, seed=seed), runtime, device, precision)

    @classmethod
    def asked_for(cls, settings: EmbedSettings) -> Self:
        """The encoder that settings name, ready to run as they say; raises as `open` does."""
        return cls.open(
            settings.encoder,
            random_init=settings.random_init,
            seed=settings.seed,
            runtime=settings.runtime,
            device=settings.device,
            precision=settings.precision,
        )

    def start(self, tiles: int | None = None) -> Network:
        """Makes its network ready to run, if it is not; the network.

        Args:
            tiles: how many it will see, where that is known; few are not worth an export to another runtime.
        """
        if self._network is None:
            saved = _SAVED[self._wanted[2]] * self._depth * (self.width / 1024) ** 2
            self._network = start_network(self._module, *self._wanted, tiles=tiles, saved=saved, fixed=True)
        return self._network

    @property
    def network_module(self) -> Croma:
        """Its network, as PyTorch has it."""
        return self._module.croma

    def facts(self, *, whole: bool) -> EncoderFacts:
        """What tables say of it; `whole` for embeddings of whole images."""
        return EncoderFacts(self.identity, self.name, self.statistics, "gap" if whole else "mean", self.drawn)

    def check(self, scene: Seen) -> None:
        """Refuses a scene that does not fit.

        Raises:
            ContractMismatch: says exactly what differs.
        """
        kind = self.contract.dtype or "float32"
        reasons = self.contract.differences(scene.bands, ground_sampling_distance(scene.grid), kind)
        if reasons:
            raise ContractMismatch(
                f"{scene.name} does not fit the encoder: {'; '.join(reasons)}",
                cure="Give a Sentinel-2 image with all its bands, or an encoder made for such images.",
            )

    def normalised(self, raster: Raster) -> NDArray[np.float32]:
        """Pixels of a scene as network input ``(bands, H, W)``."""
        places = [
            next(place for place, name in enumerate(raster.bands) if band.answers_to(name))
            for band in self.contract.bands
        ]
        return self._normaliser(raster.pixels[places], raster.valid)

    def tokens(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Tokens ``(B, N, width)``, row by row, of network input ``(B, bands, H, W)``."""
        answer = self.start()(torch.from_numpy(images))
        return np.asarray(answer.float().cpu().numpy(), np.float32)

    def pooled(self, mean: NDArray[np.float32]) -> NDArray[np.float32]:
        """The embedding ``(width,)`` of a whole image from the mean of its tokens."""
        head = self._module.croma.s2_GAP_FFN
        weight = next(head.parameters())
        with torch.inference_mode():
            made = head(torch.from_numpy(mean).to(weight.device, weight.dtype))
        return np.asarray(made.float().cpu().numpy(), np.float32)

    def encoded(
        self, scene: Seen, parcels: Parcels, *, cells: int = 5, batch_size: int = 8, tiling: Tiling | None = None
    ) -> Iterator[pa.Table]:
        """The embeddings of the parcels of one open scene, some at a time, as soon as all of a parcel has been seen.

        Raises:
            ContractMismatch: the scene does not fit.
        """
        self.check(scene)
        chosen = tiling or Tiling(cells=cells)
        planned = EncodedScene.of(scene, parcels, chosen, self.patch)
        work = Encoding(self, [planned], chosen, lambda number: scene)
        ready = (work.prepare(TileOf(0, place)) for place in range(len(planned.tiles)))
        yield work.schema.empty_table()
        for batch in gathered(ready, batch_size, work.alike):
            yield work.rows(batch)

    def encode(
        self, scene: Seen, parcels: Parcels, *, cells: int = 5, batch_size: int = 8, tiling: Tiling | None = None
    ) -> pa.Table:
        """The embeddings of the parcels of one open scene, in their order; all in memory.

        Raises:
            ContractMismatch: the scene does not fit.
        """
        tables = list(self.encoded(scene, parcels, cells=cells, batch_size=batch_size, tiling=tiling))
        rows = pa.concat_tables(tables).combine_chunks()
        order = {parcel.name: place for place, parcel in enumerate(parcels.items)}
        return rows.take(np.argsort([order[name] for name in rows["parcel"].to_pylist()], kind="stable"))
