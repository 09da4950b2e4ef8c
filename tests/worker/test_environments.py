"""Tools a model may call while it answers: each environment on its own, then in a training. The model is the
starter, taught for some seconds to call the calculator, so that calls are its own and not the test's."""

import inspect
import json
import random
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio import adapters, environments, sandbox, techniques
from studio.environments import Environment
from studio.errors import StudioError
from studio.techniques.tools import ToolParameters
from tests.worker.online_runs import STARTER
from worker import dispatch, lab, rewards, tools, train
from worker.environments.calculator import Calculator
from worker.environments.lookup import Lookup
from worker.environments.python import Python
from worker.ingredients import resolve
from worker.order import DataOrder, GraderOrder, ModelOrder, Order

pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")
each = pytest.mark.parametrize("environment", environments.all(), ids=lambda environment: environment.name)

TAUGHT = 80  # steps of eight examples
DOCUMENTS = [
    {"title": "Opening hours", "text": "The pharmacy opens at nine.\nOn Sundays it is closed."},
    {"title": "Delivery", "text": "Medicines are delivered on Mondays.\nDelivery costs four euros."},
]
ROW = json.dumps({"reference_answer": "four euros", "documents": DOCUMENTS})
SENSIBLE = {
    "calculate": {"expression": "(17 + 4) * 3"},
    "run_python": {"code": "print(17 + 4)"},
    "search": {"query": "What does delivery cost?"},
    "open_document": {"number": 2},
}

# ---- each on its own ----------------------------------------------------------------------------------


def _tools(environment: Environment) -> tuple[Any, dict[str, Callable[..., str]]]:
    made = resolve(environment.factory)(**environment.parameters().model_dump())
    return made, {tool.name: getattr(made, tool.name) for tool in environment.tools}


@each
def test_every_tool_answers_with_text_and_is_described_to_the_model(environment: Environment) -> None:
    made, offered = _tools(environment)
    tokenizer = AutoTokenizer.from_pretrained(STARTER)
    told = tokenizer.apply_chat_template(
        [{"role": "user", "content": "?"}], tools=list(offered.values()), tokenize=False
    )
    for _ in range(2):  # an instance is used again for other answers
        assert made.reset(prompt=[{"role": "user", "content": "?"}], row=ROW) is None
        for name, tool in offered.items():
            assert isinstance(tool(**SENSIBLE[name]), str)
            assert f'"name": "{name}"' in told
            for parameter in inspect.signature(tool).parameters:
                assert f'"{parameter}": {{"type": "' in told


@pytest.mark.parametrize(
    ("expression", "result"),
    [("(17 + 4) * 3", "63"), ("17 × 4 − 2^3", "60"), ("0.1 + 0.2", "0.3"), ("sqrt(2)", "1.41421356237")],
)
def test_the_calculator_calculates(expression: str, result: str) -> None:
    assert Calculator().calculate(expression) == result


@pytest.mark.parametrize("wrong", ["", "1 / 0", "9^9^9", "x + 1", "__import__('os')", "1, 2", "(" * 5000])
def test_the_calculator_refuses_what_is_no_arithmetic(wrong: str) -> None:
    with pytest.raises(ValueError, match="no "):
        Calculator().calculate(wrong)


def test_a_search_finds_the_best_lines_first_and_always_the_same() -> None:
    lookup = Lookup(lines=2)
    lookup.reset(row=ROW)
    found = lookup.search("what does delivery cost")
    assert found.splitlines()[0] in ("2: Delivery", "2: Delivery costs four euros.")
    assert "2: Delivery costs four euros." in found
    assert lookup.search("what does delivery cost") == found
    assert lookup.search("zebra") == "Nothing was found."
    assert lookup.open_document(1).startswith("Opening hours\nThe pharmacy opens at nine.")
    for number in (0, 3, "one", -1):
        with pytest.raises(ValueError, match="1 to 2"):
            lookup.open_document(number)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "documents",
    [
        "Delivery costs four euros.",
        ["It opens at nine.", "Delivery costs four euros."],
        '["Delivery costs four euros."]',
        [{"service": "delivery", "price": "four euros"}, {"service": "advice", "price": "nothing"}],
    ],
)
def test_documents_may_be_texts_or_a_table(documents: Any) -> None:
    lookup = Lookup(column="known")
    lookup.reset(row=json.dumps({"meta": {"known": documents}}))
    assert "four euros" in lookup.search("delivery")


def test_a_row_without_documents_is_refused_with_its_beginning() -> None:
    with pytest.raises(StudioError, match="opens at nine") as refusal:
        Lookup().reset(row=json.dumps({"text": "opens at nine"}))
    assert refusal.value.field == "dataset"


def test_python_remembers_within_an_answer_and_is_contained() -> None:
    python = Python(seconds=2.0)
    python.reset()
    assert python.run_python("x = 20\nprint('made', end=' ')\nx + 1") == "made 21"
    assert python.run_python("x * 2") == "40"
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        python.run_python("x = 1\nprint('so far')\n1 / 0")
    assert python.run_python("x") == "20"  # what failed left nothing behind
    for hostile in (
        "import socket; socket.socket()",
        "open('/etc/passwd')",
        "while True: pass",
        "import os; os.fork()",
    ):
        with pytest.raises(ValueError, match=r"sandbox|No such file|still running"):
            python.run_python(hostile)
    python.reset()
    with pytest.raises(ValueError, match="NameError"):
        python.run_python("x")


def test_python_is_refused_where_there_is_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    if sandbox.available():
        with pytest.raises(StudioError, match="bubblewrap"):
            Python()


# ---- in a training ------------------------------------------------------------------------------------


def _sum(rng: random.Random) -> str:
    return f"{rng.randint(2, 99)} {rng.choice('+-*')} {rng.randint(2, 99)}"


def _call(expression: str) -> dict[str, Any]:
    function = {"name": "calculate", "arguments": {"expression": expression}}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


def _row(expression: str) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": f"What is {expression}?"}],
        "reference_answer": Calculator().calculate(expression),
        "tool_calls": _call(expression)["tool_calls"],
    }


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter model after some hundreds of examples of asking the calculator: it mostly does."""
    folder, rng = tmp_path_factory.mktemp("caller"), random.Random(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(STARTER)
    model = AutoModelForCausalLM.from_pretrained(STARTER, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=TAUGHT)
    for _ in range(TAUGHT):
        texts, masks = [], []
        for expression in (_sum(rng) for _ in range(8)):
            row = _row(expression)
            result = {"role": "tool", "name": "calculate", "content": row["reference_answer"]}
            answer = {"role": "assistant", "content": row["reference_answer"]}
            told = tokenizer.apply_chat_template(
                [*row["prompt"], _call(expression), result, answer],
                tools=[Calculator().calculate],
                return_dict=True,
                return_assistant_tokens_mask=True,
            )
            texts.append(torch.tensor(told["input_ids"]))
            masks.append(torch.tensor(told["assistant_masks"]))
        words = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=0)
        learned = torch.nn.utils.rnn.pad_sequence(masks, batch_first=True, padding_value=0).bool()
        loss = model(
            input_ids=words, attention_mask=words != 0, labels=words.masked_fill(~learned, -100)
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _order(
    folder: Path, model: Path, rows: list[dict[str, Any]], technique: str = "grpo", **given: Any
) -> Order:
    at = folder / "runs" / "1"
    at.mkdir(parents=True)
    path = at / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    small = {
        "per_device_train_batch_size": 16,
        "gradient_accumulation_steps": 1,
        "num_generations": 4,
        "max_completion_length": 56,
        "max_steps": 2,
        "updates_per_generation": 1,
        "learning_rate": 1e-4,
        "sample_prompts": 0,
        "environment": "calculator",
    }
    known = techniques.get(technique)
    its = {name: value for name, value in (small | given).items() if name in known.parameters.model_fields}
    order = Order(
        run_id=1,
        attempt=1,
        kind="train",
        folder=at,
        spool=at / "spool.jsonl",
        log=at / "trainer.log",
        models=[ModelOrder(id=1, name="caller", source=str(model))],
        data=DataOrder(path=path, shape="prompt", title="sums"),
        parameters=known.parameters(**its).model_dump(),
        adapter_parameters=adapters.get("full").parameters().model_dump(),
        graders=[
            GraderOrder(name="right", grader="exact_match"),
            GraderOrder(name="calls", grader="tool_calls", weight=0.5),
        ],
        seed=7,
    )
    dispatch.fill(order, known, adapters.get("full"))
    order.write()
    return order


def _said(order: Order) -> list[dict[str, Any]]:
    return [json.loads(line) for line in order.spool.read_text().splitlines()]


@pytest.mark.parametrize("technique", ["grpo", "dapo", "ppo"])
def test_calls_of_the_model_are_carried_out_and_rewarded(
    caller: Path, tmp_path: Path, technique: str
) -> None:
    rng = random.Random(1)
    order = _order(tmp_path, caller, [_row(_sum(rng)) for _ in range(16)], technique)
    assert train.carry_out(order) == 0, [entry for entry in _said(order) if entry["kind"] == "error"]
    logs = [entry["data"] for entry in _said(order) if entry["kind"] == "metric"]
    first = next(log for log in logs if "reward" in log)
    assert first["tools/call_frequency"] > 0.8
    assert first["tools/failure_frequency"] < 0.2
    assert first["rewards/right/mean"] > 0.1  # it cannot multiply: this is what the calculator said
    assert first["rewards/calls/mean"] > 0.4
    known = [metric.key for metric in techniques.get(technique).metrics]
    nameless = {
        key
        for log in logs
        for key in log
        if not any(fnmatchcase(key, name) for name in known)
        and not key.startswith(("epoch", "train_", "total"))
    }
    assert not nameless, "metrics that no chart explains"
    assert (order.result / "model.safetensors").exists()


def test_a_lab_lets_the_model_act_as_its_training_would(caller: Path, tmp_path: Path) -> None:
    """Its verdict would be that there is no signal, were the calls not carried out: the model cannot
    multiply."""
    rng = random.Random(2)
    order = _order(tmp_path, caller, [_row(_sum(rng)) for _ in range(6)])
    acting = {name: order.parameters[name] for name in ToolParameters.model_fields}
    order.parameters = {"prompts": 6, "samples": 2, "temperature": 1.0, "max_tokens": 56, **acting}
    assert lab.carry_out(order) == 0, _said(order)[-1]
    answers = [entry for entry in _said(order) if entry["kind"] == "sample"]
    assert [entry["number"] for entry in answers] == list(range(12))
    right = [entry for entry in answers if entry["scores"]["right"] == 1]
    assert len(right) > 2
    for entry in right:
        assert entry["answer"].startswith('calculate({"expression":"')
        assert f"→ {entry['reference']}\n{entry['reference']}" in entry["answer"]
        assert entry["scores"]["reward"] == 1 + 0.5 * entry["scores"]["calls"]


class Graded:
    """Keeps the cases that graders get."""

    def __init__(self) -> None:
        self.cases: list[Any] = []

    def __call__(self, cases: Any) -> list[float]:
        self.cases += cases
        return [float(at % 2) for at in range(len(cases))]


def _scripted(
    folder: Path, turns: list[list[str]], monkeypatch: pytest.MonkeyPatch, **given: Any
) -> tuple[Any, Graded, Any]:
    """A trainer whose model says these words: for each turn, one text an answer that is still going on. Only
    the sampling of tokens is replaced. The trainer, what was graded, and the batch it made."""
    order = _order(folder, STARTER, [_row("17 * 4")] * 4, **({"max_completion_length": 200} | given))
    tokenizer, graded = AutoTokenizer.from_pretrained(STARTER), Graded()
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    arguments = order.arguments | {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "report_to": [],
        "reward_weights": None,
    }
    trainer = resolve(order.trainer)(
        model=AutoModelForCausalLM.from_pretrained(STARTER, dtype=torch.float32),
        args=resolve(order.config)(
            **(arguments | {"per_device_train_batch_size": 4, "steps_per_generation": 1})
        ),
        train_dataset=Dataset.from_list(
            [{"prompt": _row("17 * 4")["prompt"], "row": json.dumps(_row("17 * 4"))}] * 4
        ),
        reward_funcs=[rewards._function(GraderOrder(name="right", grader="exact_match"), graded, {0, 1})],
        environment_factory=tools.factory(order, tokenizer, resolve),
        processing_class=tokenizer,
    )
    remaining = iter(turns)

    def say(prompt_ids: Any, *others: Any, **more: Any) -> tuple[list[list[int]], None]:
        texts = next(remaining)
        assert len(texts) == len(prompt_ids)
        return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts], None

    monkeypatch.setattr(trainer, "_generate_single_turn", say)
    trainer.model.train()
    batch = trainer._generate_and_score_completions([dict(row) for row in trainer.train_dataset])
    return trainer, graded, batch


def _written(name: str, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call><|end|>"


def test_errors_come_back_as_text_and_graders_see_the_whole_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = _written("calculate", expression="17 * 4"), _written("calculate", expression="17 / 0")
    turns = [
        [right, wrong, _written("divine", card="ace"), "<tool_call>{no JSON</tool_call><|end|>"],
        ["68<|end|>", right, "I cannot.<|end|>"],  # the fourth called nothing that can be read
        ["68<|end|>"],
    ]
    trainer, graded, batch = _scripted(tmp_path, turns, monkeypatch)
    one, two, three, four = graded.cases
    assert [message["role"] for message in one.completion] == ["assistant", "tool", "assistant"]
    assert one.completion[0]["tool_calls"] == _row("17 * 4")["tool_calls"]
    assert one.completion[1]["content"] == "68"
    assert one.answer == "68"
    assert one.reference == "68"
    assert one.row["tool_calls"]
    assert [message["role"] for message in two.completion] == ["assistant", "tool"] * 2 + ["assistant"]
    assert "no finite result" in two.completion[1]["content"]
    assert two.answer == "68"
    assert "divine not found" in three.completion[1]["content"]
    assert three.answer == "I cannot."
    assert len(four.completion) == 1
    assert trainer._metrics["train"]["tools/call_frequency"] == [1.0]
    assert trainer._metrics["train"]["tools/failure_frequency"] == [0.5]
    # What the tool wrote is read but not learned: of the first answer, all but the tool's "68".
    mask, ids = batch["tool_mask"][0].bool(), batch["completion_ids"][0]
    text = trainer._tokenizer.decode(ids[~mask & batch["completion_mask"][0].bool()])
    assert text == "<|tool|>68<|end|><|assistant|>"


def test_when_the_rounds_are_used_up_there_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [_written("calculate", expression="17 * 4")] * 4
    how = {"max_tool_calling_iterations": 2, "max_completion_length": 400}
    _, graded, _ = _scripted(tmp_path, [words] * 3, monkeypatch, **how)
    assert [message["role"] for message in graded.cases[0].completion] == ["assistant", "tool"] * 2 + [
        "assistant"
    ]
    assert {case.answer for case in graded.cases} == {""}


def test_what_a_tool_said_last_is_no_answer() -> None:
    said = [{"role": "assistant", "content": ""}, {"role": "tool", "content": "68"}]
    assert rewards.final_words(said) == ""
    assert rewards.final_words("68") == "68"


def test_a_model_without_tools_in_its_template_is_refused_with_what_to_do() -> None:
    tokenizer = AutoTokenizer.from_pretrained(STARTER)
    tools.require_tools(tokenizer, "starter")
    for template in (None, "{% for message in messages %}{{ message.content }}{% endfor %}"):
        tokenizer.chat_template = template
        with pytest.raises(StudioError, match="chat template") as refusal:
            tools.require_tools(tokenizer, "starter")
        assert refusal.value.field == "model"
    unknown = AutoTokenizer.from_pretrained(STARTER)
    unknown.response_template = None  # shows calls, but nobody knows how to read them
    with pytest.raises(StudioError, match="how calls are written"):
        tools.require_tools(unknown, "starter")


def test_prompts_that_are_plain_text_and_rows_without_documents_are_refused_at_the_start(
    tmp_path: Path,
) -> None:
    plain = _row("1 + 1") | {"prompt": "What is 1 + 1?"}
    order = _order(tmp_path / "plain", STARTER, [_row("2 + 2"), plain])
    assert train.carry_out(order) == 1
    problem = next(entry["data"] for entry in _said(order) if entry["kind"] == "error")
    assert "conversations" in json.dumps(problem)
    order = _order(tmp_path / "without", STARTER, [_row("2 + 2")], environment="lookup")
    assert train.carry_out(order) == 1
    problem = next(entry["data"] for entry in _said(order) if entry["kind"] == "error")
    assert "documents" in json.dumps(problem)
