"""A language model that sees: vectors of an image stand in its prompt where words of no meaning kept their places.

An adapter brings what an encoder of images says of the cells of a parcel into the space of the language model's words;
LoRA teaches the language model to read them. The language model itself stays as it is, to the last bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from arpent.errors import ContractMismatch, InvalidSetting
from arpent.models.describer_settings import DescriberSettings, LoraSettings

__all__ = [
    "Listener",
    "NextWords",
    "VisionAdapter",
    "VisionLanguage",
    "backbone",
    "placed",
    "positions",
    "spoken_scores",
    "with_lora",
    "without_peft_warnings",
]

_LORA = "lora_"
_LANGUAGE = "language."


class NextWords(NamedTuple):
    """What a model answers in training.

    Attributes:
        scores: (places, vocabulary) of the next word, at every place that is asked for, row by row.
        image: (images, cells, words) vectors that stand for an image.
    """

    scores: Tensor
    image: Tensor


class VisionAdapter(nn.Module):
    """From the visual tokens of images (images, cells, width) to vectors that stand for words (images, cells, words).

    Tokens are first brought to mean 0 and deviation 1 by the statistics of those that were learnt from. These are
    fixed: a token of its own says how bright its ground is, which statistics of a batch or an image would take away.
    What each cell is found to be becomes the mean of all of them, since the mean of an index is that of its cells, and
    as much of a cell's own as it is learnt to take (`own`, nothing at first). Each place passes on what it pleases:
    what is true of a whole parcel need not be told by every cell.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, settings: DescriberSettings) -> None:
        super().__init__()
        self.enter = nn.Linear(settings.width, settings.hidden)
        self.leave = nn.Linear(settings.hidden, settings.words)
        self.places = nn.Parameter(1 + torch.randn(settings.cells, settings.hidden) * 0.5)
        self.own = nn.Parameter(torch.zeros(settings.hidden))
        self.register_buffer("centre", torch.zeros(settings.width))
        self.register_buffer("spread", torch.ones(settings.width))

    def forward(self, visual: Tensor) -> Tensor:
        """One vector for each token."""
        standard = (visual.to(self.centre.dtype) - self.centre) / self.spread
        found = nn.functional.gelu(self.enter(standard))
        whole = found.mean(dim=-2, keepdim=True)
        return cast(Tensor, self.leave((whole + (found - whole) * self.own) * self.places))

    def suit(self, mean: Tensor, deviation: Tensor) -> None:
        """Takes the statistics (width,) of the tokens that will be learnt from."""
        self.centre.copy_(mean)
        self.spread.copy_(deviation.clamp(min=1e-6))


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
        self.register_state_dict_post_hook(_without_base)  # type: ignore[no-untyped-call]  # torch
        self.register_load_state_dict_post_hook(_base_stays)  # type: ignore[no-untyped-call]  # torch

    def forward(self, visual: Tensor, words: Tensor, attended: Tensor, spoken: Tensor) -> NextWords:
        """Scores of the next word at every place that is asked for.

        Args:
            visual: (images, cells, width), in the order in which their places come in the prompts.
            words: (B, T) numbers of words; `cells` placeholders for each image.
            attended: (B, T) bool, False on padding, which may stand on either side.
            spoken: (B, T) bool, where the next word is asked for.
        """
        seen = self.adapter(visual)
        vectors = placed(self.language, seen, words, self.placeholder)
        return NextWords(spoken_scores(self.language, vectors, attended, spoken), seen)

    def embedded(self, visual: Tensor | None, words: Tensor) -> Tensor:
        """Prompts as vectors (B, T, words): each word by its own, each placeholder by a visual token.

        Raises:
            ContractMismatch: prompts and images do not go together.
        """
        if visual is not None and visual.shape[-1] != self.settings.width:
            raise ContractMismatch(
                "these visual tokens are not of the encoder that the model was trained with",
                found=f"{visual.shape[-1]} numbers each",
                expected=self.settings.width,
                cure="Make them with that encoder: 'arpent describe embed'.",
            )
        return placed(self.language, None if visual is None else self.adapter(visual), words, self.placeholder)


class Listener(nn.Module):
    """A language model that is given vectors in the places of an image, as a training of its own has it.

    Args:
        language: a causal language model of transformers.
        placeholder: number of the word that keeps the places.
    """

    def __init__(self, language: nn.Module, placeholder: int) -> None:
        super().__init__()
        self.language = language
        self.placeholder = placeholder

    def forward(self, image: Tensor, words: Tensor, attended: Tensor, spoken: Tensor) -> NextWords:
        """As `VisionLanguage.forward`, with vectors (images, cells, words) for visual tokens."""
        vectors = placed(self.language, image, words, self.placeholder)
        return NextWords(spoken_scores(self.language, vectors, attended, spoken), image)


def placed(language: nn.Module, seen: Tensor | None, words: Tensor, placeholder: int) -> Tensor:
    """Words as vectors (B, T, words), with what is seen (images, cells, words) in the places kept for it.

    Raises:
        ContractMismatch: there are more places than vectors, or fewer.
    """
    places = words == placeholder
    table = language.get_input_embeddings()  # type: ignore[operator]  # transformers' method, unknown to torch
    # The placeholder may be a word that the table has no row for; its vector is replaced in any case.
    vectors = cast(Tensor, table(words.masked_fill(places, 0)))
    kept, given = int(places.sum()), 0 if seen is None else seen.shape[:-1].numel()
    if kept != given:
        raise ContractMismatch(
            "images and prompts do not go together",
            found=f"{given} visual tokens",
            expected=f"{kept}, as many as the prompts keep places for",
            cure="Give the visual tokens of every image that the prompts speak of.",
        )
    if seen is None:
        return vectors
    return vectors.masked_scatter(places[..., None], seen.reshape(-1, vectors.shape[-1]).to(vectors.dtype))


def spoken_scores(language: nn.Module, vectors: Tensor, attended: Tensor, spoken: Tensor) -> Tensor:
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
    with without_peft_warnings():
        return cast(nn.Module, get_peft_model(cast(Any, language), config))


@contextmanager
def without_peft_warnings() -> Iterator[None]:
    """Around peft, which asks transformers for what its coming version will call otherwise.

    An older peft also names the settings of newer ones that it passes over; of bundles, which keep plain LoRA, all of
    them stand at what means nothing.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unexpected keyword arguments", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        yield


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
