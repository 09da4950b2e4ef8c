"""The value model: what score an answer will get, read before each of its tokens.

It is a backbone like the policy's with a head of one output. Where all weights are trained it has its own
copy of them. Where an adapter is trained, or some weights are frozen, it shares the policy's frozen
weights in memory and has adapters of its own, so that it costs little and still never pulls on the
policy."""

import copy
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

WEIGHTS = "model.safetensors"


class Critic(nn.Module):
    """Values of states. The head works in float32, since returns are regressed on its output."""

    def __init__(self, backbone: Any, head: nn.Linear):
        super().__init__()
        self.backbone = backbone
        self.head = head.float()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, count: int, size: int | None = None
    ) -> Tensor:
        """(B, count): the value before each of the last `count` tokens of `input_ids` (B, L), in float32;
        `size` rows at a time.

        The value of a token must not have read it, so place t is read from the state after t - 1. The last
        token is nobody's past and is not computed."""
        rows = size or len(input_ids)
        parts = zip(input_ids[:, :-1].split(rows), attention_mask[:, :-1].split(rows), strict=True)
        return torch.cat([self._values(ids, seen, count) for ids, seen in parts])

    def _values(self, ids: Tensor, seen: Tensor, count: int) -> Tensor:
        hidden = self.backbone(input_ids=ids, attention_mask=seen, use_cache=False).last_hidden_state
        with torch.autocast(hidden.device.type, enabled=False):
            return self.head(hidden[:, -count:].float()).squeeze(-1)

    def checkpoint_activations(self, settings: dict | None) -> None:
        """Recomputes activations as the Trainer has the policy do, with the same settings."""
        rest: dict = dict(settings or {})
        layers, offload = rest.pop("every_n_layers", 1), rest.pop("offload", False)
        self.backbone.activation_checkpointing_enable(rest or None, every_n_layers=layers, offload=offload)

    def save(self, folder: Path) -> None:
        """Writes what training changes; the frozen rest comes from the model the run starts from."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: weight.detach().contiguous() for name, weight in self._trained()}, folder / WEIGHTS)

    def load(self, folder: Path) -> None:
        """Raises KeyError if the folder holds another critic's weights."""
        saved = load_file(folder / WEIGHTS)
        with torch.no_grad():
            for name, weight in self._trained():
                weight.copy_(saved[name])

    def _trained(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, weight) for name, weight in self.named_parameters() if weight.requires_grad]


def build(
    model: PreTrainedModel | PeftModel, peft_config: PeftConfig | None, start: str | PreTrainedModel | None
) -> Critic:
    """A critic for this policy, which must not be wrapped with `peft_config` yet.

    `start` is a reward model or its folder, whose backbone and head the critic begins with, as
    InstructGPT's did (Ouyang et al., arXiv 2203.02155, appendix C.4). Otherwise the backbone begins as
    the policy's, and the head with zeros: at first every value is 0, and advantages are plain returns.
    Raises ValueError if the reward model has another vocabulary."""
    if start is None:
        whole, head = _like(model, shared=peft_config is not None), None
    else:
        whole, head = _reward_model(start, model)
    if peft_config is not None and not peft_config.is_prompt_learning:
        frozen = {id(weight) for weight in model.parameters()}
        own = copy.deepcopy(peft_config)
        own.task_type = None  # a backbone answers no task; the wrapper of one would ask for its methods
        whole = get_peft_model(whole, own)
        _own_what_is_trained(whole, frozen)
    causal = whole.get_base_model() if isinstance(whole, PeftModel) else whole
    backbone = causal.base_model
    if peft_config is not None and peft_config.is_prompt_learning:
        backbone.requires_grad_(False)  # prompts are no part of a backbone: the head alone learns
    return Critic(backbone, head or _empty_head(model.config.get_text_config().hidden_size))


def _like(model: PreTrainedModel | PeftModel, *, shared: bool) -> PreTrainedModel | PeftModel:
    """The same structure. Weights that will not be trained (all, if `shared`) are the very same tensors."""
    keep = [weight for weight in model.parameters() if shared or not weight.requires_grad]
    return copy.deepcopy(model, {id(tensor): tensor for tensor in chain(keep, model.buffers())})


def _reward_model(
    start: str | PreTrainedModel, policy: PreTrainedModel | PeftModel
) -> tuple[PreTrainedModel, nn.Linear | None]:
    """The model and its head; no head if it is a language model, whose backbone alone is of use."""
    if isinstance(start, str):
        model = AutoModelForSequenceClassification.from_pretrained(start, num_labels=1, dtype=policy.dtype)
        scored = any(name.endswith("ForSequenceClassification") for name in model.config.architectures or [])
    else:
        model, scored = start.requires_grad_(True), True
    theirs, ours = (given.config.get_text_config().vocab_size for given in (model, policy))
    if theirs != ours:
        raise ValueError(
            f"The value model knows {theirs} kinds of tokens and the policy {ours}: start it from a reward "
            "model with the policy's tokenizer."
        )
    return model, getattr(model, "score", None) if scored else None


def _empty_head(width: int) -> nn.Linear:
    head = nn.Linear(width, 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def _own_what_is_trained(whole: nn.Module, frozen: set[int]) -> None:
    """An adapter may train weights of the base itself, such as biases; those must not be the policy's."""
    for module in whole.modules():
        for name, weight in module.named_parameters(recurse=False):
            if weight.requires_grad and id(weight) in frozen:
                setattr(module, name, nn.Parameter(weight.detach().clone()))


def silence_dropout(model: nn.Module) -> None:
    """Turns off every dropout, also those that attention takes as a number and not as a module.

    With dropout the policy that is trained would not be the one that answered, and the ratio not 1 at
    first."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)
