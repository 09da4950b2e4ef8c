"""The order a trainer gets: everything it needs, in one file of its folder (`run.json`).

The trainer knows only this; it imports neither the tables nor the broker.
`python -m worker.train RUN_FOLDER` carries out any order by hand.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel


class ModelOrder(BaseModel):
    """`source` is a folder or a hub id; an adapter sits on `base`. `kind` is what it was trained to be."""

    id: int
    name: str
    source: str
    kind: str = "language"
    base: "ModelOrder | None" = None


class DataOrder(BaseModel):
    path: Path
    shape: str
    title: str


class GraderOrder(BaseModel):
    """One part of the reward: a grader, its settings, and the models these name, by setting."""

    name: str
    grader: str
    weight: float = 1.0
    parameters: dict[str, Any] = {}
    models: dict[str, ModelOrder] = {}


class Order(BaseModel):
    """`arguments` are the trainer's, worked out from `parameters`; of those the trainer's process itself only
    reads the ones that are the studio's own (`sample_prompts`, `keep_best`, …). `done` is how many answers of
    an evaluation are kept already."""

    run_id: int
    attempt: int
    kind: str
    folder: Path
    spool: Path
    log: Path
    devices: list[str] = []
    threads: int = 0
    models: list[ModelOrder]
    data: DataOrder | None = None
    held_out: DataOrder | None = None
    technique: str = ""
    trainer: str = ""
    config: str = ""
    parameters: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    reads: str = "answers"
    makes: str = "language"
    keeps_reference: bool = False
    starts_whole: bool = False
    best_by: tuple[str, str] = ("eval_loss", "lower")
    input_models: dict[str, ModelOrder] = {}
    input_data: dict[str, DataOrder] = {}
    graders: list[GraderOrder] = []
    adapter: str = ""
    peft: str = ""
    adapter_parameters: dict[str, Any] = {}
    seed: int = 42
    done: int = 0
    trust_remote_code: bool = False

    @property
    def data_folder(self) -> Path:
        """The studio's data folder: runs/ID lies two below it."""
        return self.folder.parent.parent

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def result(self) -> Path:
        return self.folder / "model"

    @property
    def inbox(self) -> Path:
        """Questions for a serving run, one JSON object a line."""
        return self.spool.with_name("inbox.jsonl")

    @property
    def owner(self) -> Path:
        """Holds the number of the attempt that may write checkpoints."""
        return self.folder / "owner"

    def write(self) -> None:
        self.spool.parent.mkdir(parents=True, exist_ok=True)
        self.owner.write_text(str(self.attempt))
        (self.folder / "run.json").write_text(self.model_dump_json(indent=1))

    @classmethod
    def read(cls, folder: Path) -> "Order":
        return cls.model_validate_json((folder / "run.json").read_text())
