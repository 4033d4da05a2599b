"""A tiny random student with a byte-level tokenizer whose pad is its end token, and a corpus for it."""

from __future__ import annotations

from pathlib import Path

from data.parquet import write_rows
from data.workspace import Workspace
from distillation.rows import TrainingRow

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WORDS = [
    "descale",
    "the",
    "kettle",
    "with",
    "one",
    "sachet",
    "of",
    "powder",
    "and",
    "rinse",
    "it",
    "twice",
    "before",
    "you",
    "brew",
    "again",
]


def save_model(folder: Path, spread: float = 0.3, template: str = TEMPLATE, words: tuple[str, ...] = ()) -> Path:
    import torch
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged = ["he", "the", "in"]
    vocabulary = {text: number for number, text in enumerate([*special, *letters, *merged, *words])}
    backend = Tokenizer(BPE(vocabulary, [("h", "e"), ("t", "he"), ("i", "n")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=special[1], eos_token=special[2], pad_token=special[2],
        unk_token=special[0], additional_special_tokens=special,
    )  # fmt: skip
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1024,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=2, initializer_range=spread,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def save_shaken(model: Path, folder: Path) -> Path:
    """The model with somewhat other weights."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            weight += 0.05 * torch.randn_like(weight) if "proj" in name else 0
    made.save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return folder


def rows(count: int, first: int = 0) -> list[TrainingRow]:
    """Invented rows of unequal lengths."""
    made = []
    for number in range(first, first + count):
        words = WORDS[number % 5 :] + WORDS[: number % 3]
        asked = {"role": "user", "content": " ".join(words[: 2 + number % 6])}
        messages = ({"role": "system", "content": "Help."}, asked)
        answer = " ".join(words[: 3 + number % 7])
        ids = {"sample_id": f"s{number}", "exchange_id": f"e{number}"}
        row = {**ids, "messages": messages, "answer": answer}
        made.append(TrainingRow.model_validate(row))
    return made


def save_corpus(workspace: Workspace, train: list[TrainingRow], validation: list[TrainingRow]) -> Path:
    draft = workspace.draft("corpus", {"rows": str(len(train))}, {})
    if draft.done:
        return draft.final
    write_rows(draft.path / "rows.parquet", train, TrainingRow)
    write_rows(draft.path / "validation.parquet", validation, TrainingRow)
    return draft.finish({"rows": float(len(train))})
