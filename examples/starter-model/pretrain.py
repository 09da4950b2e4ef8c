"""Make the starter model from nothing: a tokenizer, a small Qwen3-style decoder, and its pretraining.

    python examples/starter-model/pretrain.py [--out FOLDER]

Seeded, on synthetic text from `corpus.py`; about 15 minutes on two CPU cores. It writes the files that
`AutoTokenizer` and `AutoModelForCausalLM` load, and `pretraining.json` with what it measured.
"""

import argparse
import json
import math
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import corpus  # noqa: E402  (needs the two folders above)

from examples.medication_directions import make  # noqa: E402

SEED = 7
DOCUMENTS = 300_000
TOKENIZER_DOCUMENTS = 20_000  # the first of them, enough to count words
HELD_OUT = 500
VOCABULARY = 2048
CONTEXT = 2048  # positions the rotary embedding is declared for; documents reach about 1,000
TOKENS_A_BATCH = 4096
LEARNING_RATE = 3e-3
PAD, END = "<|pad|>", "<|end|>"
SPECIAL = (PAD, END, "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<tool_call>", "</tool_call>")
# A token is at most a word with its leading space, three digits, or a run of punctuation such as `", "`.
PIECE = r" ?[\p{L}\p{M}_]+| ?\p{N}{1,3}|[^\s\p{L}\p{M}\p{N}_]+(?: [^\s\p{L}\p{M}\p{N}_]+)*|\s+"
# How a completion is read back into a message (transformers' response parsing).
RESPONSE_TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|assistant|>",
    "fields": {
        "tool_calls": {
            "open": "<tool_call>",
            "close": "</tool_call>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close": END, "content": "text"},
    },
}


def main(out: Path, documents: int, seed: int) -> None:
    """Make the corpus, then the tokenizer, then the model; save all three and the record of it."""
    started, cpu = time.perf_counter(), time.process_time()
    torch.manual_seed(seed)
    rng = random.Random(seed)
    avoid = {make.fingerprint(text) for text in shipped_directions()}
    first = [corpus.draw_document(rng, avoid) for _ in range(TOKENIZER_DOCUMENTS)]
    tokenizer = build_tokenizer(first)
    training = encode(tokenizer, first)
    while len(training) < documents:  # in portions, because the text takes far more memory than its tokens
        training += encode(tokenizer, [corpus.draw_document(rng, avoid) for _ in range(10_000)])
    held_out, training = training[:HELD_OUT], training[HELD_OUT:documents]
    model = build_model(tokenizer)
    print(f"{model.num_parameters():,} parameters, {sum(map(len, training)):,} tokens", flush=True)
    steps, loss = pretrain(model, tokenizer, training, rng)
    save(model, tokenizer, out)
    record = {
        "seed": seed,
        "documents": documents,
        "tokens": sum(map(len, training)),
        "parameters": model.num_parameters(),
        "steps": steps,
        "last_training_loss": round(loss, 4),
        "held_out_loss": round(held_out_loss(model, tokenizer, held_out), 4),
        "wall_seconds": round(time.perf_counter() - started),
        "cpu_seconds": round(time.process_time() - cpu),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    (out / "pretraining.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record))


def shipped_directions() -> Iterator[str]:
    """Every direction in the sample use case's files."""
    for rows in make.files().values():
        for row in rows:
            yield (row.get("messages") or row["prompt"])[1]["content"]


def build_tokenizer(conversations: list) -> transformers.PreTrainedTokenizerFast:
    """A byte-level BPE: any text comes back exactly, and the words of the corpus are one token each."""
    template = (HERE / "chat_template.jinja").read_text()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[
            AddedToken(token, special=token not in SPECIAL[-2:], normalized=False) for token in SPECIAL
        ],
        show_progress=False,
    )
    texts = [message["content"] for messages, _ in conversations for message in messages]
    texts += [json.dumps(tool) for _, tools in conversations for tool in tools or []]
    texts += [message["content"] for row in make.files()["train.jsonl"] for message in row["messages"]]
    tokenizer.train_from_iterator(texts, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=template,
        response_template=RESPONSE_TEMPLATE,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def build_model(tokenizer: transformers.PreTrainedTokenizerFast) -> transformers.Qwen3ForCausalLM:
    config = transformers.Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        use_cache=True,
        dtype="float32",
    )
    return transformers.Qwen3ForCausalLM(config)


def encode(tokenizer: transformers.PreTrainedTokenizerFast, conversations: list) -> list[torch.Tensor]:
    """Token ids (int16) of each conversation, rendered by the chat template and cut at the context length."""
    texts = [
        tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
        for messages, tools in conversations
    ]
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return [torch.tensor(ids[:CONTEXT], dtype=torch.int16) for ids in encoded]


def pretrain(model, tokenizer, documents: list[torch.Tensor], rng: random.Random) -> tuple[int, float]:
    """One pass of AdamW with a warm-up and a cosine to zero. Returns the steps and the last mean loss."""
    batches = list(cut_batches(documents, rng))
    rng.shuffle(batches)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    warmup = 100
    scale = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / len(batches))),
    )
    model.train()
    mean, started = 0.0, time.perf_counter()
    for step, batch in enumerate(batches):
        loss = answer_loss(model, tokenizer, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scale.step()
        optimizer.zero_grad()
        mean = loss.item() if step == 0 else 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 0:
            print(
                f"step {step}/{len(batches)} loss {mean:.3f} {time.perf_counter() - started:.0f} s",
                flush=True,
            )
    return len(batches), mean


def cut_batches(documents: list[torch.Tensor], rng: random.Random) -> Iterator[list[torch.Tensor]]:
    """Batches of documents of like length, at most `TOKENS_A_BATCH` tokens each with padding."""
    order = sorted(rng.sample(documents, k=len(documents)), key=len)
    batch: list[torch.Tensor] = []
    for ids in order:
        if batch and len(ids) * (len(batch) + 1) > TOKENS_A_BATCH:
            yield batch
            batch = []
        batch.append(ids)
    yield batch


def answer_loss(model, tokenizer, batch: list[torch.Tensor], rest: float = 0.05) -> torch.Tensor:
    """Mean next-token loss in nats; tokens outside assistant turns count `rest` as much as those inside."""
    width = max(map(len, batch))
    ids = torch.full((len(batch), width), tokenizer.pad_token_id)
    for row, document in enumerate(batch):
        ids[row, : len(document)] = document
    mask = (ids != tokenizer.pad_token_id).long()
    weight = assistant_mask(ids, tokenizer)[:, 1:].float()
    weight = torch.maximum(weight, rest * mask[:, 1:].float())
    hidden = model.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, :-1]
    kept = weight > 0
    losses = torch.nn.functional.cross_entropy(
        model.lm_head(hidden[kept]), ids[:, 1:][kept], reduction="none"
    )
    return (losses * weight[kept]).sum() / weight[kept].sum()


def assistant_mask(ids: torch.Tensor, tokenizer) -> torch.Tensor:
    """1 for the tokens of assistant turns, their `<|end|>` included; shape like `ids` (documents, tokens)."""
    start, end = tokenizer.convert_tokens_to_ids(["<|assistant|>", END])
    opened = (ids == start).cumsum(1)
    # A turn is open where the last role token is <|assistant|> and no <|end|> came since.
    roles = torch.isin(ids, torch.tensor(tokenizer.convert_tokens_to_ids(list(SPECIAL[2:6]))))
    position = torch.arange(ids.shape[1]).expand_as(ids)
    last_role = torch.where(roles, position, -1).cummax(1).values
    last_end = torch.where(ids == end, position, -1).cummax(1).values
    before_end = torch.cat([torch.full_like(last_end[:, :1], -1), last_end[:, :-1]], dim=1)
    speaker = ids.gather(1, last_role.clamp(min=0))
    return (opened > 0) & (speaker == start) & (last_role > before_end) & (ids != start)


def save(model, tokenizer, out: Path) -> None:
    """Write the model folder, readable by everyone."""
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)


@torch.no_grad()
def held_out_loss(model, tokenizer, documents: list[torch.Tensor]) -> float:
    """Mean loss of assistant tokens over documents that were not trained on."""
    model.eval()
    batches = list(cut_batches(documents, random.Random(0)))
    return sum(answer_loss(model, tokenizer, batch, rest=0.0).item() for batch in batches) / len(batches)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    main(options.out, options.documents, options.seed)
