"""What a policy makes of tokens it has chosen, on a CPU.

Where it has no Triton, GRPOTrainer's own way projects every position onto the vocabulary, prompts too,
and does so again going backward. That saves memory, which a CPU has, and costs time, which it has not.
"""

from typing import Any

import torch
from torch import Tensor


def log_probs(
    model: Any, ids: Tensor, attention: Tensor, count: int, temperature: float, size: int | None = None
) -> tuple[Tensor, Tensor]:
    """(B, count) log probability of each of the last `count` tokens of `ids` (B, L), and the entropy
    there in nats, the latter without gradients; `size` answers at a time.

    Both are of the distribution that was sampled from: the logits over the temperature ("N Implementation
    Details of RLHF with PPO", Huang et al., 2023: left out, the divergence from the reference rises
    fast)."""
    parts = zip(ids.split(size or len(ids)), attention.split(size or len(ids)), strict=True)
    found = [_log_probs(model, some, seen, count, temperature) for some, seen in parts]
    return torch.cat([logps for logps, _ in found]), torch.cat([entropy for _, entropy in found])


def _log_probs(
    model: Any, ids: Tensor, attention: Tensor, count: int, temperature: float
) -> tuple[Tensor, Tensor]:
    logits = model(input_ids=ids, attention_mask=attention, logits_to_keep=count + 1, use_cache=False).logits[
        :, :-1
    ]
    every = (logits.float() / temperature).log_softmax(dim=-1)
    with torch.no_grad():
        entropy = -(every.exp() * every).sum(dim=-1)
    return every.gather(-1, ids[:, -count:].unsqueeze(-1)).squeeze(-1), entropy
