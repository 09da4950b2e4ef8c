"""Says the class of a text: a frozen model reads it, a small head on its hidden states decides.

    python predict.py --text "Take two tablets." [--text …] [--file TEXTS.jsonl] [--model BASE]

Prints one JSON object a text: its label, how sure the head is, the probability of every label. Lies beside
head.json (labels, rubric, where the features are read) and head.safetensors (the head and what its features
are centred and scaled by). Needs torch, transformers and safetensors, and the base model; trains nothing.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

CONFIG, WEIGHTS = "head.json", "head.safetensors"
PROBE = "A sentence that is always the same: 1, 2, 3."
# How far apart two copies of a model may read, in spreads between texts. On the starter model bfloat16 and
# float32 were 0.02 to 0.11 apart, and an adapter of 20 small steps 0.21 to 0.89.
ALIKE = 0.15


@dataclass(frozen=True)
class Reading:
    """How a text is turned into features. `places` say where: a hidden state (0 are the embeddings, the last
    has the number of layers) at the prompt's "last" token, or the "mean" of all of them."""

    labels: tuple[str, ...]
    rubric: str
    places: tuple[tuple[int, str], ...]
    as_chat: bool = True
    max_length: int = 512
    images: bool = False


class Head(nn.Module):
    """Features to logits: standardised, then linear, or a perceptron with one hidden layer. Dividing by
    `temperature` makes the probabilities honest; it changes no decision (Guo et al., arXiv 1706.04599).
    `probe` is what the base read in a sentence that is always the same, to know it again."""

    mean: torch.Tensor
    scale: torch.Tensor
    temperature: torch.Tensor
    probe: torch.Tensor

    def __init__(self, features: int, labels: int, hidden: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden = hidden
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("probe", torch.zeros(features))
        self.body = (
            nn.Sequential(
                nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, labels)
            )
            if hidden
            else nn.Linear(features, labels)
        )

    def standardise(self, features: torch.Tensor) -> torch.Tensor:
        return (features.float() - self.mean) / self.scale

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(rows, features) as they were read → (rows, labels) logits, not yet calibrated."""
        logits: torch.Tensor = self.body(self.standardise(features))
        return logits

    def probabilities(self, features: torch.Tensor) -> torch.Tensor:
        """(rows, labels), each row summing to one."""
        return torch.softmax(self(features) / self.temperature, dim=-1)


class Reader:
    """Reads texts (and images, where `processor` is one of a vision-language model) with a frozen model."""

    def __init__(self, model: Any, processor: Any, reading: Reading) -> None:
        self.model, self.processor, self.reading = model, processor, reading
        self.tokenizer = getattr(processor, "tokenizer", processor)
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self._backbone = getattr(model, "base_model", model)  # without the language head, which nobody asks

        asked = processor if reading.images else self.tokenizer
        self._chats = reading.as_chat and bool(getattr(asked, "chat_template", None))

    def features(self, texts: Sequence[str], images: Sequence[str] = ()) -> torch.Tensor:
        """(texts, places, hidden) in float32 on the CPU. `images`: one file a text, or none."""
        prompts = [self.prompt(text) for text in texts]
        side, self.tokenizer.padding_side = self.tokenizer.padding_side, "right"
        inputs = self._inputs(prompts, images).to(self.model.device)
        self.tokenizer.padding_side = side
        return self._read(inputs)

    @torch.no_grad()
    def _read(self, inputs: Any) -> torch.Tensor:
        seen = self._backbone(**inputs, output_hidden_states=True, use_cache=False, return_dict=True)
        mask = inputs["attention_mask"]  # (texts, tokens), ones first
        places = self.reading.places
        pooled = [_pool(seen.hidden_states[layer].float(), mask, how) for layer, how in places]
        return torch.stack(pooled, dim=1).cpu()

    def probe(self) -> torch.Tensor:
        """(1, places, hidden): what it reads in a text that is always the same, without an image."""
        inputs = self.tokenizer(PROBE, return_tensors="pt", return_token_type_ids=False)
        return self._read(inputs.to(self.model.device))

    def prompt(self, text: str) -> str:
        """The rubric about this text, in the model's own chat format where it has one; the text is cut so
        that the whole is no longer than `max_length` tokens."""
        room = self.reading.max_length - self._length(self._wrapped(""))
        tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(tokens) > room:
            text = self.tokenizer.decode(tokens[: max(room, 0)])
        return self._wrapped(text)

    def _wrapped(self, text: str) -> str:
        labels = ", ".join(self.reading.labels)
        # The text goes in last: what it says is never taken for a part of the rubric.
        words = self.reading.rubric.replace("{labels}", labels).replace("{text}", text)
        if not self._chats:
            shown = f"{self.processor.image_token}{words}" if self.reading.images else words
            return shown or str(self.tokenizer.eos_token)  # a prompt has at least one token
        content: Any = words
        asked = self.tokenizer
        if self.reading.images:
            content, asked = [{"type": "image"}, {"type": "text", "text": words}], self.processor
        message = [{"role": "user", "content": content}]
        return str(asked.apply_chat_template(message, tokenize=False, add_generation_prompt=True))

    def _length(self, prompt: str) -> int:
        return len(self.tokenizer(prompt, add_special_tokens=False)["input_ids"])

    def _inputs(self, prompts: list[str], images: Sequence[str]) -> Any:
        """A chat template writes its own special tokens; a plain text gets the tokenizer's."""
        how: dict[str, Any] = {
            "return_tensors": "pt",
            "padding": True,
            "add_special_tokens": not self._chats,
        }
        if not self.reading.images:
            return self.tokenizer(prompts, return_token_type_ids=False, **how)
        return self.processor(text=prompts, images=[open_image(path) for path in images], **how)


def _pool(states: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    """(texts, tokens, hidden) → (texts, hidden)."""
    if how == "mean":
        kept = mask.unsqueeze(-1).to(states.dtype)
        return (states * kept).sum(1) / kept.sum(1)
    return states[torch.arange(len(states), device=states.device), mask.sum(1) - 1]


def open_image(path: str) -> Any:
    """The picture in a file, in RGB. Raises ValueError for an address: nothing is fetched."""
    from PIL import Image

    if "://" in path:
        raise ValueError(f"“{path[:80]}” is an address: save the image as a file and name that.")
    with Image.open(path) as image:
        return image.convert("RGB")


# Saved and found again


@dataclass
class Description:
    """What head.json says."""

    reading: Reading
    hidden: int
    features: int
    base: dict[str, str]  # source; sha256 of its weights, empty for a hub id; architecture; dtype
    measured: dict[str, float] = field(default_factory=dict)
    architectures: list[str] = field(default_factory=lambda: ["FeatureClassifierHead"])  # as config.json's

    def write(self, folder: Path) -> None:
        (folder / CONFIG).write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Description":
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        reading = found.pop("reading")
        places = tuple((layer, how) for layer, how in reading.pop("places"))
        labels = tuple(reading.pop("labels"))
        return cls(reading=Reading(labels=labels, places=places, **reading), **found)


def save(folder: Path, head: Head, about: Description) -> None:
    """head.json, head.safetensors, and this file as predict.py."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().cpu() for name, value in head.state_dict().items()}, folder / WEIGHTS)
    about.write(folder)
    (folder / "predict.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")


def load_head(folder: Path) -> tuple[Head, Description]:
    about = Description.read(folder)
    head = Head(about.features, len(about.reading.labels), about.hidden)
    head.load_state_dict(load_file(folder / WEIGHTS))
    return head.eval(), about


def digest(folder: Path) -> str:
    """SHA-256 over the SHA-256 of each safetensors file, by name; empty where there are none."""
    whole = hashlib.sha256()
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    for path in files:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest() if files else ""


# At the command line


def load_reader(about: Description, source: str) -> Reader:
    """The base model from `source`."""
    import transformers

    kind = (
        transformers.AutoModelForImageTextToText
        if about.reading.images
        else transformers.AutoModelForCausalLM
    )
    processing = transformers.AutoProcessor if about.reading.images else transformers.AutoTokenizer
    model = kind.from_pretrained(source, dtype=getattr(torch, about.base["dtype"]))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Reader(model.eval().to(device), processing.from_pretrained(source), about.reading)


def check(head: Head, reader: Reader) -> None:
    """Raises ValueError when the base reads otherwise than the one that the head learned on: another model,
    or the same without the adapter that was merged into it. Rounding makes a far smaller difference."""
    found = reader.probe()[0, 0]
    if found.shape != head.probe.shape:
        raise ValueError("This is not the model that the head learned on: it is of another width.")
    apart = ((found - head.probe) / head.scale).square().mean().sqrt()  # in spreads between texts
    if apart > ALIKE:
        raise ValueError("This is not the model that the head learned on: it reads a text differently.")


def answers(
    head: Head, reader: Reader, texts: Sequence[str], images: Sequence[str]
) -> Iterable[dict[str, Any]]:
    """`{"label", "probability", "probabilities"}` for each text, in order."""
    for start in range(0, len(texts), 16):
        batch = slice(start, start + 16)
        features = reader.features(texts[batch], images[batch])[:, 0]
        for row in head.probabilities(features).tolist():
            named = dict(zip(reader.reading.labels, row, strict=True))
            label = max(named, key=lambda name: named[name])
            yield {"label": label, "probability": named[label], "probabilities": named}


def main() -> int:
    """Returns 0, or 2 with a plain sentence on standard error when something given does not fit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="", help="folder or hub id of the base model")
    parser.add_argument("--text", action="append", default=[], help="a text; may be given several times")
    parser.add_argument("--image", action="append", default=[], help="an image file, one for each text")
    parser.add_argument(
        "--file", type=Path, help='a file with one JSON object a line: {"text": …, "image": …}'
    )
    given = parser.parse_args()
    texts, images = list(given.text), list(given.image)
    if given.file:
        rows = [json.loads(line) for line in given.file.read_text(encoding="utf-8").splitlines() if line]
        texts += [row["text"] for row in rows]
        images += [row["image"] for row in rows if row.get("image")]
    head, about = load_head(Path(__file__).resolve().parent)
    wanted = len(texts) if about.reading.images else 0
    if len(images) != wanted:
        print(
            f"{wanted} images are needed for {len(texts)} texts; {len(images)} were given.", file=sys.stderr
        )
        return 2
    try:
        reader = load_reader(about, given.model or about.base["source"])
        check(head, reader)
    except (OSError, ValueError) as problem:
        print(f"{problem} Name the base model with --model.", file=sys.stderr)
        return 2
    for answer in answers(head, reader, texts, images):
        print(json.dumps(answer, ensure_ascii=False), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
