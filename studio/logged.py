"""What of that which a trainer logs is about a step, and how numbers JSON does not know are called.

Imports nothing: the trainer's process uses it, too.
"""

from functools import cache

# JSON has no such numbers, so they travel by name.
NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}

# About the whole run or the machine, not about a step; a resumed run would say them twice.
SUMMARY_KEYS = {
    "train_loss",
    "total_flos",
    "epoch",
    "eval_num_tokens",
}
SUMMARY_ENDS = ("_runtime", "_samples_per_second", "_steps_per_second", "general_num_tokens")


@cache
def is_of_a_step(key: str) -> bool:
    return key not in SUMMARY_KEYS and not key.endswith(SUMMARY_ENDS)
