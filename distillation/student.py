"""The model that learns: a frozen base with LoRA adapters, or all of its weights, and the loss of packed rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AttentionInterface, AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from bot.config import Training
from data.errors import ConfigError
from distillation import attention
from distillation.batches import Batch
from distillation.layers import ADAPTER, quicken, refresh
from distillation.losses import Losses, completion_loss, output_head

FAST_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}


class Student:
    """`model` is peft's or, where all weights learn, transformers'; `weights` are those that learn, by name."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.causal = model.get_base_model() if isinstance(model, PeftModel) else model
        self.head = output_head(self.causal)
        self.weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.device = self.head.weight.device
        if not getattr(self.causal, "_supports_attention_backend", False):
            raise ConfigError(f"{type(self.causal).__name__} cannot learn packed rows; choose another student")

    def hidden(self, batch: Batch) -> torch.Tensor:
        """The hidden states of the places of a batch (moved to the device) that predict something: [N, H]."""
        found = self.causal.get_decoder()(
            input_ids=batch.ids_T[None], position_ids=batch.positions_T[None], use_cache=False, layout=batch.layout
        )
        return found.last_hidden_state[0][batch.places_N]

    def losses(self, batch: Batch, alpha: float) -> Losses:
        """Sums over the places of a batch; divide by the places of the whole step."""
        batch = batch.to(self.device)
        return completion_loss(self.hidden(batch), self.head, batch.targets_N, batch.weights_N, batch.soft, alpha)

    def save(self, folder: Path) -> None:
        """peft's adapter files, or a whole model's."""
        self.model.save_pretrained(folder)

    def load(self, folder: Path) -> None:
        """The weights of what `save` wrote, into this student."""
        from safetensors.torch import load_file

        found: dict[str, torch.Tensor] = {}
        for path in sorted(folder.glob("*.safetensors")):
            found |= load_file(path)
        self.set({name: found[name.replace(f".{ADAPTER}.", ".")] for name in self.weights})

    def set(self, weights: Mapping[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(weights[name])
        refresh(self.model)

    def optimizer(self, rate: float) -> torch.optim.AdamW:
        made = torch.optim.AdamW(self.weights.values(), rate, weight_decay=0.0, fused=True)
        made.register_step_post_hook(lambda *_: refresh(self.model))
        return made


def load_student(folder: str, settings: Training, device: Any = "cpu") -> Student:
    """The base in `folder` with fresh adapters. The same seed gives the same start."""
    torch.manual_seed(settings.seed)
    transformers_logging.disable_progress_bar()
    AttentionInterface.register(attention.NAME, attention.attend)
    dtype = torch.float32 if settings.method == "full" else pick_dtype(settings.dtype)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention.NAME)
    output_head(model)
    if settings.method != "full":
        model = get_peft_model(model, lora(settings))
    quicken(model)
    if settings.checkpoint_activations:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return Student(model.to(device).train())


def lora(settings: Training) -> LoraConfig:
    """On every linear layer but the output head. rsLoRA's scale grows with the root of the rank; it asks for less."""
    return LoraConfig(
        r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear", task_type="CAUSAL_LM",
        use_rslora=settings.method == "rslora", use_dora=settings.method == "dora",
    )  # fmt: skip


def pick_dtype(choice: str) -> Any:
    """`auto` is bfloat16 where the hardware multiplies it natively; elsewhere that is slower than float32."""
    if choice != "auto":
        return getattr(torch, choice)
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        flags = set()
    return torch.bfloat16 if flags & FAST_BF16 else torch.float32
