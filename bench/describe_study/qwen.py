"""The whole chain with Qwen2-1.5B's real configuration: counts, one training step and one answer on a CPU, memory.

Its weights are drawn at random unless a folder with the published ones is given: the chain, its sizes and its memory
are the same. They are kept in bfloat16 and stay frozen. The goal is that it runs in 16 GB, with the published counts.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch

from arpent.language.grammar import compose, text
from arpent.models.describer import VisionLanguage, with_lora
from arpent.models.describer_settings import DescriberSettings, LoraSettings
from arpent.models.language_model import LanguageModel, open_language_model, train_tokenizer
from arpent.models.speaking import SpeakingRule, speak
from arpent.tasks.describe.invented import invented
from arpent.tasks.describe.sequences import dialogue, facts_of, left_padded, request_of, right_padded
from arpent.tasks.describe.speaking_task import answer_loss

TRAINED, TOTAL, ADAPTER = 36_929_536, 1_580_643_840, 3_973_632
MEMORY = 16.0


def run(argv: list[str]) -> bool:
    """Prints the figures; whether the goals are met."""
    parser = argparse.ArgumentParser(prog="describe.py qwen", description=__doc__)
    parser.add_argument("--base", default="", help="folder of the published model; random weights without it")
    parser.add_argument("--words", type=int, default=8, help="of the answer")
    asked = parser.parse_args(argv)
    torch.manual_seed(0)
    base = open_language_model(asked.base, dtype="bf16") if asked.base else _drawn()
    size = _count(base.model) / 1e6
    print(f"language model: {size:.1f} M parameters in bfloat16, {_memory():.1f} GB so far", flush=True)
    shape = DescriberSettings(width=1024, hidden=1536, words=base.width, cells=25)
    model = VisionLanguage(shape, with_lora(base.model, LoraSettings()), base.speech.placeholder)
    trained = sum(one.numel() for name, one in model.named_parameters() if "lora_" in name)
    total, adapter = _count(model.language), _count(model.adapter)
    print(f"LoRA {trained:,} of {total:,} parameters, adapter {adapter:,}")
    first = next(one for name, one in base.model.named_parameters() if "lora_" not in name)
    before = first.detach().clone()
    _step(model, base)
    same = torch.equal(before, first)
    _answer(model, base, asked.words)
    kept = "unchanged" if same else "CHANGED"
    print(f"memory at most {_memory():.1f} GB (goal {MEMORY:g}); weights underneath {kept}")
    return (trained, total, adapter) == (TRAINED, TOTAL, ADAPTER) and same and _memory() <= MEMORY


def _drawn() -> LanguageModel:
    """Qwen2-1.5B with random weights, and a tokenizer of the same shape that is made here."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    rng = np.random.default_rng(0)
    texts = [text(compose(invented(rng), tongue, seed=n)) for n in range(200) for tongue in ("fr", "en")]
    speech = train_tokenizer(texts, 2000)
    config = Qwen2Config(
        vocab_size=151_936,
        hidden_size=1536,
        intermediate_size=8960,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
        max_position_embeddings=131_072,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        tie_word_embeddings=True,
        dtype=torch.bfloat16,
        pad_token_id=speech.pad,
        eos_token_id=speech.end,
    )
    torch.set_default_dtype(torch.bfloat16)
    try:
        made = Qwen2ForCausalLM(config)
    finally:
        torch.set_default_dtype(torch.float32)
    return LanguageModel(made.eval().requires_grad_(False), speech, "random")


def _step(model: VisionLanguage, base: LanguageModel) -> None:
    """One step of one sample."""
    measured = invented(np.random.default_rng(1))
    request = request_of("fr", cells=25, facts=facts_of(measured, "fr"))
    rows = right_padded([dialogue(base.speech, request, text(compose(measured, "fr")))], base.speech.pad)
    moving = [one for one in model.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(moving, lr=1e-4)
    begun = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16):
        seen = model.train()(torch.randn(1, 25, 1024), rows.words, rows.attended, rows.spoken)
        loss = answer_loss(seen.scores, rows.target, rows.spoken)
    loss.backward()
    optimiser.step()
    moved = sum(bool(one.grad is not None and one.grad.abs().sum() > 0) for one in moving)
    print(
        f"a training step of {rows.words.shape[1]} words: {time.perf_counter() - begun:.0f} s, loss {loss:.2f}, "
        f"{moved} of {len(moving)} tensors have a gradient, {_memory():.1f} GB",
        flush=True,
    )
    optimiser.zero_grad(set_to_none=True)


def _answer(model: VisionLanguage, base: LanguageModel, words: int) -> None:
    prompts, attended = left_padded([base.speech.prompt(request_of("fr", cells=25))], base.speech.pad)
    begun = time.perf_counter()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        vectors = model.eval().embedded(torch.randn(1, 25, 1024), prompts)
        [said] = speak(model.language, vectors, attended, SpeakingRule(base.speech.end, words))
    took = time.perf_counter() - begun
    print(f"an answer of {len(said.words)} words: {took:.0f} s ({len(said.words) / took:.2f} tokens/s)", flush=True)


def _count(module: torch.nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


def _memory() -> float:
    """The most that this process has held, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
