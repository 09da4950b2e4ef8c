"""A run's trainer without weights and without rows of the run's own: models are made of their config, rows
are as long as they may be. Nothing is measured here."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import trl.trainer.utils as trl_utils
from datasets import Dataset
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.data import DataLoader
from transformers import AutoConfig, AutoTokenizer, PrinterCallback, masking_utils
from trl import GRPOTrainer
from trl.kernels import chunked_divergence, chunked_logprob

from studio import techniques
from studio.estimate.demand import Demand, from_answers
from worker import ingredients
from worker.classes import CLASSES
from worker.order import Order
from worker.trainers import distillation

TILED = ("_addmm_fp32", "_project")  # and all `…_tile`: what the fused heads do where they have no kernels
STEPS = 2  # in the second, the optimiser has its states
ENDS = 4  # tokens of a prompt of one letter, and of a row's end
# How wide their tiles are.
WIDTHS = ((trl_utils, "_CHUNKED_LOGPROB_CHUNK_SIZE"), (chunked_divergence, "VOCAB_CHUNK_SIZE"))
UNWANTED = {  # of an order's arguments: what goes with evaluation and graders
    "eval_steps",
    "load_best_model_at_end",
    "metric_for_best_model",
    "greater_is_better",
    "per_device_eval_batch_size",
    "reward_weights",
    "save_steps",
}


class StandIn:
    """What a traced training is made of: an order, a config with few layers, the step that is wanted, and the
    configs of further models, where they are known."""

    def __init__(self, order: Order, config: Any, wanted: Demand, others: Mapping[str, Mapping[str, Any]]):
        self.order, self.config, self.wanted, self.others = order, config, wanted, others
        self.forward = wanted.setup.forward
        given_first = from_answers(techniques.get(order.technique), order.parameters)
        self.reads = "answers" if given_first else order.reads

    @contextlib.contextmanager
    def faked(self) -> Iterator[FakeTensorMode]:
        """Models that trainers read from a folder are made instead; nothing moves to a device; the fused head
        needs what it needs on the wanted one."""
        with contextlib.ExitStack() as stack, FakeTensorMode(allow_non_fake_inputs=True) as fake:
            for owner, name, new in self._replacements():
                stack.enter_context(mock.patch.object(owner, name, new, create=name == "__deepcopy__"))
            yield fake

    def _replacements(self) -> Iterator[tuple[Any, str, Any]]:
        yield from ((torch.nn.Module, name, _stay) for name in ("to", "float"))
        yield (
            FakeTensorMode,
            "__deepcopy__",
            _stay,
        )  # a tensor knows its mode, and its copy must know the same
        yield trl_utils, "_use_triton", _nothing
        yield distillation, "best_answers", _as_they_are
        if not self.forward.masked:  # else transformers makes masks for tensors it cannot look into
            yield masking_utils, "is_tracing", _nothing
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith("trl.") and "create_model_from_path" in vars(
                module
            ):
                yield module, "create_model_from_path", self._model
        if self.wanted.device.is_gpu:
            for module in (chunked_logprob, chunked_divergence):
                tiled = [name for name in vars(module) if name.endswith("_tile") or name in TILED]
                yield from ((module, name, _nothing) for name in tiled)
            if scored := self.wanted.setup.scored:  # kernels work on these tokens only
                yield chunked_logprob, "TOKEN_CHUNK_SIZE", min(scored, chunked_logprob.TOKEN_CHUNK_SIZE)
        else:  # memory that is never written costs nothing on a CPU
            words = self.config.get_text_config().vocab_size
            for module, name in WIDTHS:
                yield module, name, min(getattr(module, name), words)

    def trainer(self, folder: Path, source: str) -> Any:
        """The run's trainer, its models of the config, its tokenizer from `source`."""
        order = self.order
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=order.trust_remote_code)
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        self.config.get_text_config().pad_token_id = tokenizer.pad_token_id
        further: dict[str, Any] = {name: self._further(name) for name in order.input_models}
        if order.reads == "prompts":
            further["reward_funcs"] = [_no_reward]
        elif order.keeps_reference and not order.peft:
            further["ref_model"] = self._model()
        made = ingredients.resolve(order.trainer)(
            model=self._model(),
            args=self._arguments(folder),
            train_dataset=Dataset.from_list(self._rows(tokenizer)),
            processing_class=tokenizer,
            peft_config=ingredients.peft_config(order),
            **further,
        )
        for name in order.input_models:  # they stay in memory, whether or not the trainer keeps them
            setattr(made, f"_{name}", further[name])
        return made

    def _model(self, *_: Any, **__: Any) -> Any:
        if self.order.makes == "reward":
            self.config.num_labels = 1
        return CLASSES[self.order.makes].from_config(self.config, dtype=self._dtype())

    def _further(self, name: str) -> Any:
        """A model that a trainer only asks, as large as it is; one that it trains, as large as the run's."""
        trains = any(copy.trained for copy in self.wanted.setup.copies)
        if trains or name not in self.others:
            return self._model()
        given = dict(self.others[name])
        config = AutoConfig.for_model(given.pop("model_type"), **given)
        return CLASSES["language"].from_config(config, dtype=self._dtype())

    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.forward.precision == "bfloat16" else torch.float32

    def _arguments(self, folder: Path) -> Any:
        kept = {name: value for name, value in self.order.arguments.items() if name not in UNWANTED}
        if self.reads == "answers":  # the rows here are no conversations
            kept |= {"assistant_only_loss": False, "completion_only_loss": None}
        if kept.get("max_length"):  # rows are longer, and cut here
            kept["max_length"] = min(kept["max_length"], self.forward.length)
        return ingredients.resolve(self.order.config)(
            **kept
            | {
                "output_dir": str(folder),
                "max_steps": STEPS,
                "gradient_accumulation_steps": 2 if self.wanted.setup.accumulates else 1,
                "bf16": self.forward.precision == "bfloat16",
                "use_cpu": True,
                "activation_checkpointing": self.wanted.setup.checkpointing,
                "eval_strategy": "no",
                "save_strategy": "no",
                "report_to": [],
                "disable_tqdm": True,
                "dataloader_pin_memory": False,
            }
        )

    def _rows(self, tokenizer: Any) -> list[dict[str, Any]]:
        """Rows in the columns that the trainer reads, longer than the longest; where too long ones are left
        out, as long as a whole row may be."""
        long = "a " * (2 * self.forward.length)
        if self.reads == "rated":
            tokens = tokenizer(long, add_special_tokens=False)["input_ids"]
            long = tokenizer.decode(tokens[: self.forward.length - ENDS])
        row: dict[str, Any] = {
            "answers": {"prompt": "a", "completion": long},
            "text": {"text": long},
            "pairs": {"prompt": "a", "chosen": long, "rejected": long},
            "rated": {"prompt": "a", "chosen": long, "rejected": long},
            "labelled": {"prompt": "a", "completion": long},
            "prompts": {"prompt": "a"},
        }[self.reads]
        count = max(2 * self.forward.rows, 8)
        if self.reads == "labelled":
            return [row | {"label": bool(number % 2)} for number in range(count)]
        return [dict(row) for _ in range(count)]

    def feed(self, trainer: Any, fake: FakeTensorMode) -> None:
        """Gives the trainer the same batch for each step: as its own collator makes it, or, where answers are
        generated, as it would have written them."""
        if self.reads == "prompts":
            trainer._prepare_inputs = _as_given
            if self.wanted.device.is_gpu and "_get_per_token_logps_and_entropies" in vars(type(trainer)):
                as_on_gpu = GRPOTrainer._get_per_token_logps_and_entropies  # a trainer's own is for CPUs
                trainer._get_per_token_logps_and_entropies = partial(as_on_gpu, trainer)
            given = self._answers()
        else:
            count = trainer.args.per_device_train_batch_size
            given = trainer.data_collator([trainer.train_dataset[number] for number in range(count)])
        batch = {
            name: fake.from_tensor(value) if isinstance(value, torch.Tensor) else value
            for name, value in given.items()
        }
        steps = STEPS * trainer.args.gradient_accumulation_steps
        places: Any = [0] * steps
        trainer.get_train_dataloader = lambda: DataLoader(places, collate_fn=lambda _: dict(batch))
        trainer.remove_callback(PrinterCallback)

    def _answers(self) -> dict[str, Any]:
        """What online trainers learn from: prompts (B, P), answers (B, C), and a number for each answer (B,)
        or each of its tokens (B, C)."""
        rows, length = self.forward.rows, self.forward.length
        prompt = length - int(self.order.parameters["max_completion_length"])
        prompts = torch.ones(rows, prompt, dtype=torch.long)
        answers = torch.ones(rows, length - prompt, dtype=torch.long)
        each_token = ("mask", "old_per_token_logps", "ref_per_token_logps", "old_values", "returns")
        found: dict[str, Any] = {name: torch.ones(rows, length - prompt) for name in each_token}
        by_value = any(copy.passed for copy in self.wanted.setup.copies)  # which is a matter of each token
        for name in ("advantages", "old_logps"):
            found[name] = torch.ones(rows, length - prompt) if by_value else torch.ones(rows)
        return found | {
            "prompt_ids": prompts,
            "prompt_mask": prompts,
            "completion_ids": answers,
            "completion_mask": answers,
            "num_items_in_batch": torch.tensor(float(rows)),
            "tokens": torch.tensor(float(rows)),
        }


def _stay(module: Any, *_: Any, **__: Any) -> Any:
    return module


def _nothing(*_: Any, **__: Any) -> None:
    """What a kernel that works in place leaves in memory; and: no."""


def _as_given(inputs: Any) -> Any:
    return inputs


def _as_they_are(_teacher: Any, _tokenizer: Any, rows: list[Any], *_: Any) -> tuple[list[Any], Any]:
    """A teacher's answers: the rows have them already, as long as they may be."""
    return rows, {}


def _no_reward(completions: list[Any], **_: Any) -> list[float]:
    return [0.0] * len(completions)
