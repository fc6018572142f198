#!/usr/bin/env python3
"""Builds a model of about 2 MB that says what it is told: a real GGUF for a real llama-server, without a real model.

Its weights are one-hot. The embedding of token t is the t-th unit vector, attention and feed-forward add nothing, and the output matrix holds
for each token the one that follows. So the model is a table of successors. The template ends a prompt by one line feed where the owner
spoke last, by two where a tool did: two different tokens, from which two scripts begin. The first thinks and calls a tool, the second answers.

usage: scripted_model.py OUT.gguf [--tool NAME] [--args JSON-OBJECT] [--thought TEXT] [--answer TEXT]
"""
import argparse
import json
import pathlib

import gguf
import numpy as np

HEAD = 64  # Dimensions of an attention head: rotary positions want an even number, and fast kernels a multiple of 32.
SURE = 100.0  # Logit of the successor; all others are zero, so any temperature samples it.
WINDOW = 32768  # At most; the server is started with less.


def byte_names():
    """GPT-2's printable stand-in for every byte, in the order of the bytes."""
    plain = list(range(ord("!"), ord("~") + 1)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    names, extra = {}, 0
    for byte in range(256):
        if byte in plain:
            names[byte] = chr(byte)
        else:
            names[byte] = chr(256 + extra)
            extra += 1
    return [names[byte] for byte in range(256)]


BYTES = byte_names()


def spelled(text):
    return "".join(BYTES[byte] for byte in text.encode())


def pieces(text, taken):
    """A text as tokens of its own: word by word, so that it streams, and each unlike every other, so that it has one successor."""
    words = text.split(" ")
    out = []
    held = ""
    for word in [words[0]] + [" " + word for word in words[1:]]:
        held += word
        if spelled(held) not in taken:
            taken.add(spelled(held))
            out.append(held)
            held = ""
    if held:
        raise SystemExit(f"{text!r} ends in words that were said before: write it otherwise")
    return out


class Vocabulary:
    def __init__(self):
        self.tokens, self.kinds, self.scripted = list(BYTES), [gguf.TokenType.NORMAL] * 256, 0
        self.line, self.lines = self.tokens.index(BYTES[10]), self.add(BYTES[10] * 2, gguf.TokenType.NORMAL)
        self.end = self.add("<|im_end|>", gguf.TokenType.CONTROL)
        self.add("<|im_start|>", gguf.TokenType.CONTROL)
        self.pad = self.add("<|endoftext|>", gguf.TokenType.CONTROL)

    def add(self, text, kind):
        self.tokens.append(text)
        self.kinds.append(kind)
        return len(self.tokens) - 1

    def script(self, first, texts, follows):
        """From `first` on, one token after another, then the end of the message."""
        at = first
        for text in texts:
            mark = text.startswith("<") and text.endswith(">")
            token = self.add(text, gguf.TokenType.USER_DEFINED) if mark else self.add(spelled(text), gguf.TokenType.NORMAL)
            follows[at] = token
            at = token
        follows[at] = self.end


def scripts(options, taken):
    arguments = json.loads(options.args)
    if not isinstance(arguments, dict):
        raise SystemExit("--args is not a JSON object")
    thought = pieces(f"\n{options.thought}\n", taken)
    call = pieces(f'\n{{"name": "{options.tool}", "arguments": {json.dumps(arguments)}}}\n', taken)
    return ["<think>", *thought, "</think>", "<tool_call>", *call, "</tool_call>"], pieces(options.answer, taken)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--tool", default="node_status")
    parser.add_argument("--args", default='{"node": "pve1"}')
    parser.add_argument("--thought", default="The owner asks about node one. I will look at it.")
    parser.add_argument("--answer", default="Node pve1 is well, sir.")
    options = parser.parse_args()

    vocabulary, follows = Vocabulary(), {}
    taken = set(vocabulary.tokens)
    first, second = scripts(options, taken)
    vocabulary.script(vocabulary.line, first, follows)
    vocabulary.script(vocabulary.lines, second, follows)

    heads = -(-len(vocabulary.tokens) // HEAD)
    size = heads * HEAD
    while len(vocabulary.tokens) < size:
        vocabulary.add(f"<|unused_{len(vocabulary.tokens)}|>", gguf.TokenType.UNUSED)

    writer = gguf.GGUFWriter(options.out, "qwen2")
    writer.add_name("scripted")
    writer.add_context_length(WINDOW)
    writer.add_embedding_length(size)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HEAD)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.kinds)
    writer.add_token_merges([f"{BYTES[10]} {BYTES[10]}"])
    writer.add_eos_token_id(vocabulary.end)
    writer.add_pad_token_id(vocabulary.pad)
    writer.add_add_bos_token(False)
    writer.add_chat_template((pathlib.Path(__file__).parent / "template.jinja").read_text())

    nothing = np.zeros((size, size), np.float32)
    output = nothing.copy()
    for token, following in follows.items():
        # The norm scales a unit vector to the square root of its length.
        output[following, token] = SURE / np.sqrt(size)
    writer.add_tensor("token_embd.weight", np.eye(size, dtype=np.float32))
    writer.add_tensor("output_norm.weight", np.ones(size, np.float32))
    writer.add_tensor("output.weight", output)
    writer.add_tensor("blk.0.attn_norm.weight", np.ones(size, np.float32))
    writer.add_tensor("blk.0.ffn_norm.weight", np.ones(size, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"blk.0.{name}.weight", nothing.astype(np.float16))
    for name in ("attn_q", "attn_k", "attn_v"):
        writer.add_tensor(f"blk.0.{name}.bias", np.zeros(size, np.float32))
    for name, shape in (("ffn_gate", (HEAD, size)), ("ffn_up", (HEAD, size)), ("ffn_down", (size, HEAD))):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{options.out}: {options.out.stat().st_size} bytes, {len(vocabulary.tokens)} tokens")


if __name__ == "__main__":
    main()
