"""A model that is only as large as vLLM needs to serve it: a Llama of two layers with drawn weights.

What it says is noise. How it is loaded, served, counted, bound to a grammar and interrupted is as with any other.
"""

import json
import math
import sys
from pathlib import Path

import numpy
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WIDTH, INNER, LAYERS, VOCABULARY = 128, 256, 2, 320
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": WIDTH // 2,
    "vocab_size": VOCABULARY,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "bos_token_id": 0,
    "eos_token_id": 2,
}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def weights() -> dict[str, tuple[int, ...]]:
    shapes = {"model.embed_tokens.weight": (VOCABULARY, WIDTH), "model.norm.weight": (WIDTH,)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.{name}_layernorm.weight": (WIDTH,) for name in ["input", "post_attention"]}
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (WIDTH, WIDTH) for name in "qkvo"}
        shapes |= {f"{at}.mlp.{name}_proj.weight": (INNER, WIDTH) for name in ["gate", "up"]}
        shapes[f"{at}.mlp.down_proj.weight"] = (WIDTH, INNER)
    return shapes


def write_weights(file: Path) -> None:
    """In the format of safetensors: a header of JSON with its length before it, then the numbers."""
    drawn = numpy.random.default_rng(5)
    header, data = {}, b""
    for name, shape in weights().items():
        numbers = drawn.normal(0, 0.02, math.prod(shape)) if len(shape) > 1 else numpy.ones(shape)
        # bfloat16 is the upper half of a float.
        halves = (numbers.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [len(data), len(data) + len(halves)]}
        data += halves
    head = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    file.write_bytes(len(head).to_bytes(8, "little") + head + data)


def write_tokenizer(folder: Path) -> None:
    """A token for each byte."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: number for number, word in enumerate([*SPECIAL, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(folder / "tokenizer.json"))
    described = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": SPECIAL[0], "eos_token": SPECIAL[2]}
    write(folder / "tokenizer_config.json", {**described, "chat_template": TEMPLATE})


def write(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, indent=1))


def make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    write_weights(folder / "model.safetensors")
    write(folder / "generation_config.json", {name: CONFIG[name] for name in ["bos_token_id", "eos_token_id"]})
    write(folder / "config.json", CONFIG)


make(Path(sys.argv[1]))
