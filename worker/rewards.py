"""Makes the reward of a run out of its graders: one function a grader, in the form TRL's trainers call, so
that each part is logged under its own name. How an answer is scored is the grader's business."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from studio import graders
from studio.graders import Case, Score, Scorer
from studio.rows import last_words
from worker.data import Prompt
from worker.order import GraderOrder, Order

Reward = Callable[..., list[Score]]


def functions(parts: Sequence[GraderOrder], tokenizer: Any, model: Any) -> list[Reward]:
    """One reward function a grader, in the order of the run's weights."""
    ends = _ends(tokenizer, model)
    return [_function(part, scorer(part), ends) for part in parts]


def from_parts(parts: Sequence[dict[str, Any]], tokenizer: Any, model: Any) -> list[Reward]:
    """The same from plain dictionaries, as an exported script writes them."""
    return functions([GraderOrder.model_validate(part) for part in parts], tokenizer, model)


def _ends(tokenizer: Any, model: Any) -> set[int | None]:
    """The tokens an answer may end with. Many chat models end a turn with another than the tokenizer's, and
    say so for generation only."""
    own = model.generation_config.eos_token_id
    return {tokenizer.eos_token_id, tokenizer.pad_token_id, *(own if isinstance(own, list) else [own])}


def scorer(part: GraderOrder) -> Scorer:
    """What scores many cases. Raises StudioError when the grader cannot work on this machine."""
    grader = graders.get(part.grader)
    if grader.scorer:
        module, _, name = grader.scorer.partition(":")
        made: Scorer = getattr(importlib.import_module(module), name)(part.parameters, part.models)
        return made
    return grader.ready(grader.parameters(**part.parameters))


def _function(part: GraderOrder, score: Scorer, ends: set[int | None]) -> Reward:
    def reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[Score]:
        rows = columns.get("row") or ["{}"] * len(prompts)
        tokens = columns.get("completion_ids") or [None] * len(prompts)
        return score(
            [
                _case(prompt, completion, orjson.loads(row), ids, ends)
                for prompt, completion, row, ids in zip(prompts, completions, rows, tokens, strict=True)
            ]
        )

    reward.__name__ = part.name
    return reward


def _case(prompt: Any, completion: Any, row: dict[str, Any], ids: Any, ends: set[int | None]) -> Case:
    return Case(
        answer=final_words(completion),
        reference=row.get("reference_answer", ""),
        prompt=last_words(prompt),
        messages=() if isinstance(prompt, str) else prompt,
        row=row,
        completion=() if isinstance(completion, str) else completion,
        tokens=None if ids is None else len(ids),
        truncated=ids is not None and len(ids) > 0 and int(ids[-1]) not in ends,
    )


def final_words(completion: Any) -> str:
    """The answer itself. What a tool said last, where the model came to say no more, is none."""
    is_from_tool = not isinstance(completion, str) and completion and completion[-1].get("role") == "tool"
    return "" if is_from_tool else last_words(completion)


class Judges:
    """Scores answers outside training with the run's graders, or by exact match where the run has none."""

    def __init__(self, order: Order, tokenizer: Any):
        parts = order.graders or [GraderOrder(name="exact_match", grader="exact_match")]
        self._parts = [(part.name, scorer(part)) for part in parts]
        self._need_reference = not order.graders
        self._tokenizer = tokenizer

    def scores(self, asked: Sequence[tuple[Prompt, str]]) -> list[dict[str, Score]]:
        """For each (prompt, answer) every grader's score by its name; nothing where exact match has no
        reference."""
        known = [at for at, (prompt, _) in enumerate(asked) if prompt.reference or not self._need_reference]
        cases = [self._case(*asked[at]) for at in known]
        found: list[dict[str, Score]] = [{} for _ in asked]
        for name, score in self._parts:
            for at, value in zip(known, score(cases) if cases else [], strict=True):
                found[at][name] = value
        return found

    def _case(self, prompt: Prompt, answer: str) -> Case:
        return Case(
            answer=answer,
            reference=prompt.row.get("reference_answer", prompt.reference),
            prompt=prompt.text,
            messages=prompt.messages or (),
            row=prompt.row,
            tokens=len(self._tokenizer(answer, add_special_tokens=False)["input_ids"]),
        )
