"""A language model that sees: vectors of an image stand in its prompt where words of no meaning kept their places.

An adapter brings what an encoder of images says of the cells of a parcel into the space of the language model's words;
LoRA teaches the language model to read them. The language model itself stays as it is, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import Field
from torch import Tensor, nn

from arpent.core.settings import Settings
from arpent.errors import ContractMismatch, InvalidSetting

__all__ = [
    "PROJECTIONS",
    "DescriberSettings",
    "Listener",
    "LoraSettings",
    "VisionAdapter",
    "VisionLanguage",
    "backbone",
    "positions",
    "spoken_logits",
    "with_lora",
]

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj", "gate_proj")
"""The seven projections of a block that LoRA is put beside."""

_LORA = "lora_"
_LANGUAGE = "language."


class LoraSettings(Settings):
    """How a frozen language model is bent: a product of two thin matrices beside each projection."""

    rank: Annotated[int, Field(ge=1)] = 32
    """Width of the thin matrices."""
    alpha: Annotated[float, Field(gt=0)] = 64
    """What they count: alpha over rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of their inputs that is dropped in training."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)] = PROJECTIONS
    """Projections that are bent."""


class DescriberSettings(Settings):
    """The shape of what stands between encoder and language model."""

    width: Annotated[int, Field(ge=1)] = 1024
    """Numbers per visual token, as the encoder gives them."""
    hidden: Annotated[int, Field(ge=1)] = 1536
    """Numbers between the two layers of the adapter."""
    words: Annotated[int, Field(ge=1)] = 1536
    """Numbers per word of the language model."""
    cells: Annotated[int, Field(ge=1)] = 25
    """Visual tokens per parcel: 25 or 64, or any other square."""
    lora: LoraSettings = LoraSettings()
    """How the language model is bent."""


class VisionAdapter(nn.Module):
    """From visual tokens (…, width) to words that stand for them (…, words)."""

    def __init__(self, settings: DescriberSettings) -> None:
        super().__init__()
        self.enter = nn.Linear(settings.width, settings.hidden)
        self.leave = nn.Linear(settings.hidden, settings.words)

    def forward(self, visual: Tensor) -> Tensor:
        """One vector for each; their places are told by the order of words."""
        return cast(Tensor, self.leave(nn.functional.gelu(self.enter(visual))))


class VisionLanguage(nn.Module):
    """Adapter, and a language model with LoRA.

    Only what is trained is part of its state: the language model underneath is kept by whoever made it.

    Args:
        settings: of the adapter.
        language: a causal language model with LoRA, as `with_lora` gives it.
        placeholder: number of the word that keeps the places of visual tokens in a prompt.
    """

    def __init__(self, settings: DescriberSettings, language: nn.Module, placeholder: int) -> None:
        super().__init__()
        self.settings = settings
        self.adapter = VisionAdapter(settings)
        self.language = language
        self.placeholder = placeholder
        self.register_state_dict_post_hook(_without_base)
        self.register_load_state_dict_post_hook(_base_stays)

    def forward(self, visual: Tensor, words: Tensor, attended: Tensor, spoken: Tensor) -> Tensor:
        """Scores of the next word at every place that is asked for.

        Args:
            visual: (images, cells, width), in the order in which their places come in the prompts.
            words: (B, T) numbers of words; `cells` placeholders for each image.
            attended: (B, T) bool, False on padding, which may stand on either side.
            spoken: (B, T) bool, where the next word is asked for.

        Returns:
            (places, vocabulary), row by row.
        """
        return spoken_logits(self.language, self.embedded(visual, words), attended, spoken)

    def embedded(self, visual: Tensor | None, words: Tensor) -> Tensor:
        """Prompts as vectors (B, T, words): each word by its own, each placeholder by a visual token.

        Raises:
            ContractMismatch: prompts and images do not go together.
        """
        places = words == self.placeholder
        table = self.language.get_input_embeddings()  # type: ignore[operator]  # transformers' method, unknown to torch
        # The placeholder may be a word that the table has no row for; its vector is replaced in any case.
        vectors = cast(Tensor, table(words.masked_fill(places, 0)))
        wanted = int(places.sum())
        if visual is None or not visual.numel():
            if wanted:
                raise ContractMismatch("the prompt has places for an image", cure="Give the image's visual tokens.")
            return vectors
        if wanted != visual.shape[:-1].numel() or visual.shape[-1] != self.settings.width:
            raise ContractMismatch(
                "images and prompts do not go together",
                found=f"{visual.shape[:-1].numel()} visual tokens of {visual.shape[-1]} numbers",
                expected=f"{wanted} of {self.settings.width}",
                cure="Make the visual tokens with the encoder that the model was trained with.",
            )
        seen = self.adapter(visual.to(self.adapter.enter.weight.dtype)).reshape(-1, vectors.shape[-1])
        return vectors.masked_scatter(places[..., None], seen.to(vectors.dtype))


class Listener(nn.Module):
    """A language model without eyes, as a training of its own sees it."""

    def __init__(self, language: nn.Module) -> None:
        super().__init__()
        self.language = language

    def forward(self, words: Tensor, attended: Tensor, spoken: Tensor) -> Tensor:
        """See `VisionLanguage.forward`."""
        table = self.language.get_input_embeddings()  # type: ignore[operator]  # as above
        return spoken_logits(self.language, table(words), attended, spoken)


def spoken_logits(language: nn.Module, vectors: Tensor, attended: Tensor, spoken: Tensor) -> Tensor:
    """Scores (places, vocabulary) of the next word where it is asked for; of a prompt's own words none are computed."""
    head = language.get_output_embeddings()  # type: ignore[operator]  # transformers' method, unknown to torch
    hidden = backbone(language)(
        inputs_embeds=vectors,
        attention_mask=attended.long(),
        position_ids=positions(attended),
        use_cache=False,
    ).last_hidden_state
    return cast(Tensor, head(hidden[spoken]))


def positions(attended: Tensor) -> Tensor:
    """Places (B, T) of words from the first one that is no padding on."""
    return (attended.long().cumsum(dim=1) - 1).clamp(min=0)


def with_lora(language: nn.Module, settings: LoraSettings) -> nn.Module:
    """The language model, frozen, with LoRA that has no effect yet.

    Raises:
        InvalidSetting: it has no projections of these names.
    """
    from peft import LoraConfig, get_peft_model

    known = {name.rpartition(".")[2] for name, _ in language.named_modules()}
    if missing := [name for name in settings.targets if name not in known]:
        raise InvalidSetting(
            "the language model has no such projections",
            found=", ".join(missing),
            expected="; ".join(sorted(name for name in known if name.endswith("_proj"))) or "a transformer",
            cure="Set 'lora.targets' to projections that it has.",
        )
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets),
        task_type="CAUSAL_LM",
    )
    return cast(nn.Module, get_peft_model(cast(Any, language), config))


def backbone(language: nn.Module) -> nn.Module:
    """The transformer below the scores, with or without LoRA in it."""
    inner = language.get_base_model() if hasattr(language, "get_base_model") else language  # type: ignore[operator]
    return cast(nn.Module, inner.model)


def _is_base(name: str) -> bool:
    return name.startswith(_LANGUAGE) and _LORA not in name


def _without_base(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Mapping[str, Any]) -> None:
    """Leaves the language model's own weights out of a state."""
    for name in [name for name in state if _is_base(name.removeprefix(prefix))]:
        del state[name]


def _base_stays(module: nn.Module, keys: Any) -> None:  # noqa: ANN401 - torch's own named tuple, which it does not name
    """Misses no weight of the language model in a state."""
    keys.missing_keys[:] = [name for name in keys.missing_keys if not _is_base(name)]
