"""A trained Hugging Face model as one GGUF file, the format the serving engine reads.

Covers the Llama and Qwen families with byte-level BPE tokenizers; names, metadata and the order of Llama's q
and k rows follow llama.cpp's converter; the tests compare with a file it wrote.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data.errors import ConfigError

ARCHITECTURES = {"LlamaForCausalLM": "LLAMA", "Qwen2ForCausalLM": "QWEN2", "Qwen3ForCausalLM": "QWEN3"}
BLOCK = 32


def write(path: Path, model: Any, tokenizer: Any, quantisation: str, name: str) -> None:
    """Write `model` (float32, adapters merged) and its tokenizer to `path`, whole or not at all."""
    import gguf

    architecture = check(model.config, tokenizer)
    temporary = path.with_name(f".{path.name}.tmp")
    arch = getattr(gguf.MODEL_ARCH, architecture)
    writer = gguf.GGUFWriter(temporary, gguf.MODEL_ARCH_NAMES[arch])
    _hyperparameters(writer, model.config, name, quantisation)
    _tokenizer(writer, tokenizer, int(model.config.vocab_size))
    _tensors(writer, model, arch, quantisation)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    temporary.replace(path)


def check(config: Any, tokenizer: Any) -> str:
    """The gguf architecture's name. Raises ConfigError, before any work, for a model this cannot write."""
    name = (config.architectures or [""])[0]
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ConfigError(
            f"cannot make a GGUF of a {name or 'nameless'} model; choose a student that is one of {known}"
        )
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    if rope != "default":
        raise ConfigError(f"cannot make a GGUF of a student with {rope} rope scaling; choose one without it")
    kind = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    if kind["type"] != "BPE" or kind.get("byte_fallback"):
        raise ConfigError("cannot make a GGUF of a student without a byte-level BPE tokenizer; choose another one")
    return ARCHITECTURES[name]


def _hyperparameters(writer: Any, config: Any, name: str, quantisation: str) -> None:
    import gguf

    heads = int(config.num_attention_heads)
    head_dim = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    writer.add_type("model")
    writer.add_name(name)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    if head_dim * heads != config.hidden_size or config.architectures[0].startswith("Qwen3"):
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
    writer.add_layer_norm_rms_eps(float(config.rms_norm_eps))
    writer.add_vocab_size(config.vocab_size)
    if config.architectures[0].startswith("Llama"):
        writer.add_rope_dimension_count(head_dim)
    writer.add_file_type(int(getattr(gguf.LlamaFileType, f"MOSTLY_{quantisation}")))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _tokenizer(writer: Any, tokenizer: Any, vocab_size: int) -> None:
    from gguf import TokenType

    saved = json.loads(tokenizer.backend_tokenizer.to_str())
    tokens = [f"[PAD{number}]" for number in range(vocab_size)]
    types = [int(TokenType.UNUSED)] * vocab_size
    for text, number in saved["model"]["vocab"].items():
        tokens[number], types[number] = text, int(TokenType.NORMAL)
    for added in saved["added_tokens"]:
        kind = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
        tokens[added["id"]], types[added["id"]] = added["content"], int(kind)
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in saved["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer(tokenizer, saved))
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    _special_tokens(writer, tokenizer)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(tokenizer.chat_template)


def _special_tokens(writer: Any, tokenizer: Any) -> None:
    adders = {
        "bos": writer.add_bos_token_id, "eos": writer.add_eos_token_id,
        "unk": writer.add_unk_token_id, "pad": writer.add_pad_token_id,
    }  # fmt: skip
    for name, add in adders.items():
        number = getattr(tokenizer, f"{name}_token_id")
        if number is not None:
            add(number)


def pre_tokenizer(tokenizer: Any, saved: dict[str, Any]) -> str:
    """llama.cpp's name for how text is split before merging, told by its rule or by how digits come out."""
    rules = json.dumps(saved["pre_tokenizer"])
    if r"\\p{N}{1,3}" in rules:
        return "llama-bpe"
    if r"\\p{N}" in rules:
        return "qwen2"
    digits = tokenizer("1234567890", add_special_tokens=False)["input_ids"]
    return "smollm" if len(digits) == 10 else "gpt-2"


def _tensors(writer: Any, model: Any, arch: Any, quantisation: str) -> None:
    import gguf

    config = model.config
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    for source, tensor in model.state_dict().items():
        if source == "lm_head.weight" and config.tie_word_embeddings:
            continue
        target = names.get_name(source, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise ConfigError(f"cannot make a GGUF: unknown tensor {source}; choose another student")
        data = tensor.detach().float().cpu().numpy()
        if arch == gguf.MODEL_ARCH.LLAMA and ".q_proj." in source:
            data = permute(data, config.num_attention_heads)
        if arch == gguf.MODEL_ARCH.LLAMA and ".k_proj." in source:
            data = permute(data, config.num_key_value_heads)
        _add(writer, target, data, quantisation)


def permute(rows: Any, heads: int) -> Any:
    """Llama's q and k rows from Hugging Face's order (halves) to llama.cpp's (pairs), head by head."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def _add(writer: Any, name: str, data: Any, quantisation: str) -> None:
    """Vectors (norms, biases) stay float32; the embedding, often the head too, gets at least 8 bits."""
    import gguf

    if data.ndim == 1:
        writer.add_tensor(name, data)
        return
    kept = name.startswith(("token_embd", "output.")) and quantisation != "F16"
    chosen = "Q8_0" if kept else quantisation
    kind = getattr(gguf.GGMLQuantizationType, chosen if data.shape[-1] % BLOCK == 0 else "F16")
    writer.add_tensor(name, gguf.quants.quantize(data, kind), raw_dtype=kind)
