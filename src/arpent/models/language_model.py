"""Language models and their tokenizers: from a folder, from the machine's own models, or small and made here.

Every conversation has the same shape, whatever the model: the turn of a user and that of an assistant, which ends with
a word of its own. That word is never the one that fills up short rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from arpent.errors import ContractMismatch, UnreadableFile, WeightsMissing
from arpent.models.describer_settings import SmallModelSettings
from arpent.models.published import models_folder, published_model, published_names

__all__ = [
    "END",
    "OPENING",
    "PLACEHOLDER",
    "LanguageModel",
    "Speech",
    "language_folder",
    "open_language_model",
    "read_speech",
    "small_language_model",
    "train_tokenizer",
    "turns",
]

PLACEHOLDER = "<|image_pad|>"
"""The word that keeps the places of visual tokens."""

END = "<|im_end|>"
"""The word that ends a turn."""

_BEGIN, _PAD = "<|im_start|>", "<|endoftext|>"

_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML, the shape that Qwen2 was taught; for tokenizers that bring none of their own."""

_NUMBER = re.compile(r"[-\N{MINUS SIGN}]?\d+(?:[.,]\d+)?\s?%?")

OPENING = (OSError, ValueError, KeyError, RuntimeError, ImportError)
"""What transformers raises on folders that are damaged or hold something else."""


class Speech:
    """A tokenizer, with the four words that conversations need.

    Args:
        tokenizer: of transformers; a fast one.
    """

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - transformers publishes no types
        missing = [
            word for word in (PLACEHOLDER, END) if tokenizer.convert_tokens_to_ids(word) in (None, _unknown(tokenizer))
        ]
        if missing:
            tokenizer.add_special_tokens({"additional_special_tokens": missing})
        if tokenizer.pad_token_id is None or tokenizer.pad_token == END:
            tokenizer.add_special_tokens({"pad_token": _PAD})
        if not tokenizer.chat_template:
            tokenizer.chat_template = _TEMPLATE
        self.tokenizer = tokenizer
        self._prompted = lru_cache(maxsize=64)(self._prompt)  # most requests are the same few words

    @property
    def placeholder(self) -> int:
        """Number of the word that keeps the places of visual tokens."""
        return int(self.tokenizer.convert_tokens_to_ids(PLACEHOLDER))

    @property
    def end(self) -> int:
        """Number of the word that ends an answer."""
        return int(self.tokenizer.convert_tokens_to_ids(END))

    @property
    def pad(self) -> int:
        """Number of the word that fills up short rows; never `end`."""
        return int(self.tokenizer.pad_token_id)

    @property
    def digits(self) -> tuple[int, ...]:
        """Numbers of the words that are digits, or whole numbers where the tokenizer knows such."""
        known = self.tokenizer.get_vocab()
        return tuple(sorted(number for word, number in known.items() if _NUMBER.fullmatch(word)))

    def prompt(self, request: str, system: str = "") -> list[int]:
        """A user's turn and the beginning of the answer, as numbers of words."""
        return list(self._prompted(request, system))

    def _prompt(self, request: str, system: str) -> tuple[int, ...]:
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": request})
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return tuple(self.words(text))

    def words(self, text: str) -> list[int]:
        """A text as numbers of words, without any that the tokenizer would add."""
        return [int(one) for one in self.tokenizer(text, add_special_tokens=False)["input_ids"]]

    def text(self, words: Sequence[int]) -> str:
        """Numbers of words as text, without special ones."""
        return str(self.tokenizer.decode(list(words), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def save(self, folder: Path) -> None:
        """Writes the tokenizer into a folder."""
        self.tokenizer.save_pretrained(folder)


@dataclass(frozen=True)
class LanguageModel:
    """A language model and its tokenizer.

    Attributes:
        model: a causal language model of transformers, frozen, in evaluation mode.
        speech: its tokenizer.
        name: where it comes from: a name of the catalog, a hub's, or a folder.
    """

    model: nn.Module
    speech: Speech
    name: str

    @property
    def width(self) -> int:
        """Numbers per word."""
        return int(self.model.config.hidden_size)  # type: ignore[union-attr,arg-type]  # transformers' config


def small_language_model(settings: SmallModelSettings, speech: Speech) -> LanguageModel:
    """A small Qwen2 with random weights, which depend on torch's random state alone."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=len(speech.tokenizer),
        hidden_size=settings.width,
        intermediate_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=speech.pad,
        eos_token_id=speech.end,
        bos_token_id=None,
        use_cache=True,
    )
    return LanguageModel(Qwen2ForCausalLM(config), speech, "small")


def train_tokenizer(texts: Iterable[str], vocabulary: int, whole: Sequence[str] = ()) -> Speech:
    """A tokenizer that learns its pieces of words from `texts`.

    It works on bytes, so that it can write anything. Digits stand alone; other pieces may span several words, since few
    phrases make up most of such texts and a small model has no time to spell.

    Args:
        texts: to learn from.
        vocabulary: pieces at most, without those of `whole`.
        whole: pieces of text that are never cut, and are words of their own.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[_PAD, _BEGIN, END, PLACEHOLDER],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_without(texts, whole), trainer)
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in whole])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_PAD,
        eos_token=END,
        additional_special_tokens=[_BEGIN, PLACEHOLDER],
        clean_up_tokenization_spaces=False,
    )
    return Speech(fast)


def _without(texts: Iterable[str], whole: Sequence[str]) -> Iterator[str]:
    """What is left of texts between the pieces that are words of their own."""
    if not whole:
        yield from texts
        return
    between = re.compile("|".join(re.escape(word) for word in sorted(whole, key=len, reverse=True)))
    for text in texts:
        yield from filter(None, between.split(text))


def turns(request: str) -> tuple[str, ...]:
    """What stands between the special words of a prompt of `Speech.prompt`, where the tokenizer brings no template."""
    return (f"user\n{request}", "\n", "assistant\n")


def language_folder(source: str | Path) -> Path | None:
    """The folder on this machine that holds a language model: a path, a name of the catalog, or a hub's name.

    Returns None where there is none.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    name = str(source).rpartition("/")[2].lower()
    if name in published_names() and published_model(name).layout == "transformers":
        own = models_folder() / name
        if (own / "config.json").is_file():
            return own
    return _cached(str(source))


def open_language_model(
    source: str | Path,
    *,
    dtype: Literal["f32", "bf16", "f16"] = "f32",
    speech: Speech | None = None,
    squeezed: bool = False,
) -> LanguageModel:
    """A language model from this machine; nothing is downloaded.

    Args:
        source: a folder, a name of the catalog ("qwen2-1.5b"), or a hub's ("Qwen/Qwen2-1.5B").
        dtype: of its weights.
        speech: the tokenizer; that of the folder if not given.
        squeezed: into 4 bits (NF4), on a GPU with bitsandbytes.

    Raises:
        WeightsMissing: it is not on this machine; the message says how to get it.
        UnreadableFile: the folder holds something else, or is damaged.
        ContractMismatch: its tokenizer knows words that the model does not.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    folder = language_folder(source)
    if folder is None:
        raise _missing(str(source))
    kind = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[dtype]
    speech = speech or read_speech(folder)
    logging.disable_progress_bar()  # there is one progress bar, and it is not theirs
    try:
        more = {"quantization_config": _four_bits()} if squeezed else {}
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=kind, **more)
    except OPENING as problem:
        raise _unreadable(folder, problem) from problem
    check_speech(speech, model, str(folder))
    return LanguageModel(model.eval().requires_grad_(False), speech, str(source))


def _four_bits() -> Any:  # noqa: ANN401 - a configuration of transformers
    """Weights of 4 bits, sums of 16."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_use_double_quant=True,
    )


def read_speech(folder: Path) -> Speech:
    """The tokenizer in a folder.

    Raises:
        UnreadableFile: there is none.
    """
    from transformers import AutoTokenizer

    try:
        return Speech(AutoTokenizer.from_pretrained(folder, local_files_only=True))
    except OPENING as problem:
        raise _unreadable(folder, problem) from problem


def check_speech(speech: Speech, model: nn.Module, where: str) -> None:
    """Refuses a tokenizer that may give numbers the model has no word for.

    Raises:
        ContractMismatch: so it is.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])  # type: ignore[operator]  # transformers' method
    highest = max(number for word, number in speech.tokenizer.get_vocab().items() if word != PLACEHOLDER)
    if highest >= rows:
        raise ContractMismatch(
            f"tokenizer and language model of {where} do not match",
            found=f"words up to number {highest}",
            expected=f"at most {rows - 1}, the last one that the model knows",
            cure="Put the tokenizer that was published with the model into its folder.",
        )


def _cached(name: str) -> Path | None:
    """The folder in the hub's cache on this machine, if the model is there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def _missing(source: str) -> WeightsMissing:
    name = source.rpartition("/")[2].lower()
    if name in published_names():
        entry = published_model(name)
        return WeightsMissing(
            f"the language model {source} is not on this machine",
            found=f"nothing in {models_folder() / name}",
            cure=f"Run 'arpent models fetch {name}' ({entry.megabytes:.0f} MB), or give the folder that holds it.",
        )
    known = [name for name in published_names() if published_model(name).layout == "transformers"]
    return WeightsMissing(
        f"there is no language model '{source}' on this machine",
        expected=f"a folder with config.json, small, or {' or '.join(known)}",
        cure="Give the folder of a model that transformers can open; nothing is downloaded here.",
    )


def _unreadable(folder: Path, problem: Exception) -> UnreadableFile:
    return UnreadableFile(
        f"{folder} does not hold a language model that can be opened",
        found=str(problem).strip().partition("\n")[0] or type(problem).__name__,
        expected="config.json, model.safetensors and tokenizer.json",
        cure="Take a fresh copy of the whole folder.",
    )


def _unknown(tokenizer: Any) -> object:  # noqa: ANN401 - as above
    """What the tokenizer says for a word that it does not know."""
    return tokenizer.unk_token_id
