"""HTTP endpoint: another program scores the answers. Every call carries several of them.

Two forms. Bedrock: a list of `{"id", "messages", "reference_answer", "metadata", …}` goes out, and a list of
`{"id", "aggregate_reward_score"}` comes back: what Amazon's reward functions read and write, in the form with
the row's columns beside the messages and in the one with them under `metadata`. OpenAI: `{"samples":
[{"sample", "item"}]}` goes out and `{"scores": […]}` comes back."""

from collections.abc import Sequence
from typing import Any, Literal

from studio.graders import outgoing, templates
from studio.graders.base import Case, Grader, Score, Scorer
from studio.graders.outgoing import Calling, Failed, Patience
from studio.parameters import setting


class Http(Calling):
    address: str = setting(
        "http://127.0.0.1:8000/score",
        "Address",
        "Where the answers are sent, by POST.",
        basic=True,
        max_length=2000,
    )
    form: Literal["bedrock", "openai"] = setting(
        "bedrock",
        "Form",
        "bedrock: a list of conversations out, a list of aggregate_reward_score back; openai: samples out, "
        "scores back.",
        basic=True,
    )
    batch: int = setting(
        32, "Answers a call", "How many answers one call carries.", basic=True, ge=1, le=1000
    )


def prepare(parameters: Http) -> Scorer:
    outgoing.check_address(parameters.address, "address")
    failures = Patience(
        f"The endpoint {parameters.address}", "Try it with one answer, and look at what it writes to its log."
    )
    ask = ask_bedrock if parameters.form == "bedrock" else ask_openai

    def batch_scores(cases: Sequence[Case]) -> list[Score | Failed]:
        try:
            return ask(cases, parameters)
        except Failed as problem:
            return [problem] * len(cases)

    def scores(cases: Sequence[Case]) -> list[Score | Failed]:
        batches = [cases[at : at + parameters.batch] for at in range(0, len(cases), parameters.batch)]
        found = outgoing.each(batch_scores, batches, parameters.at_once)
        return [outcome for batch in found for outcome in batch]

    return outgoing.Asking(scores, failures)


def ask_bedrock(cases: Sequence[Case], parameters: Http) -> list[Score | Failed]:
    event = [reward_input(case, str(number)) for number, case in enumerate(cases)]
    return reward_scores(outgoing.post(parameters.address, event, parameters), len(cases))


def reward_input(case: Case, number: str) -> dict[str, Any]:
    """One conversation as Amazon's reward functions get it: the answer is the last message; the row's columns
    stand beside it (Nova) and under `metadata` (open-weight models)."""
    row = templates.item(case)
    columns = {name: value for name, value in row.items() if name not in ("messages", "prompt")}
    answer = [*case.completion[:-1], templates.sample(case)["choices"][0]["message"]]
    messages = [*(row.get("messages") or []), *answer]
    return {"metadata": columns} | columns | {"id": number, "messages": messages}


def reward_scores(answer: Any, count: int) -> list[Score | Failed]:
    """Scores by id, as Amazon's reward functions return them. Raises Failed when it is no such list."""
    if not isinstance(answer, list) or not all(isinstance(entry, dict) for entry in answer):
        raise Failed('its answer is no list of {"id": …, "aggregate_reward_score": …}')
    if len(answer) != count:
        raise Failed(f"it was asked for {count} scores and gave {len(answer)}")
    by_id = {
        str(entry.get("id", place)): entry.get("aggregate_reward_score") for place, entry in enumerate(answer)
    }
    return [as_score(by_id.get(str(number))) for number in range(count)]


def ask_openai(cases: Sequence[Case], parameters: Http) -> list[Score | Failed]:
    body = {"samples": [{"sample": templates.sample(case), "item": templates.item(case)} for case in cases]}
    answer = outgoing.post(parameters.address, body, parameters)
    scores = answer.get("scores") if isinstance(answer, dict) else None
    if not isinstance(scores, list) or len(scores) != len(cases):
        raise Failed(f'its answer is no {{"scores": […]}} of {len(cases)} numbers')
    return [None if score is None else as_score(score) for score in scores]


def as_score(value: Any) -> Score | Failed:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Failed("it left out a score")
    return float(value)


GRADER = Grader(
    name="http",
    title="HTTP endpoint",
    help="Another program scores the answers; it is asked over HTTP.",
    parameters=Http,
    prepare=prepare,
    group="Program",
    low=None,
    high=None,
    order=40,
)
