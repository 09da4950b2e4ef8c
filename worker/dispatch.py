"""Writes orders: what the database says of a run, as the file its trainer reads."""

from typing import Any

from sqlalchemy.orm import Session

from studio import adapters, attempts, settings, storage, techniques, weights
from studio.datasets import library
from studio.models import DatasetVersion, Kind, Model, Run
from worker.order import DataOrder, ModelOrder, Order


def order_for(session: Session, run: Run, devices: list[str]) -> Order:
    """The order for a run's present attempt."""
    spool = attempts.spool_path(run.id, run.attempt)
    known = settings.get()
    order = Order(
        run_id=run.id,
        attempt=run.attempt,
        kind=run.kind,
        folder=storage.run_folder(run.id),
        spool=spool,
        log=spool.with_name("trainer.log"),
        devices=devices,
        threads=known.threads,
        models=[model_order(session, run.model)] if run.model else [],
        seed=run.seed,
        trust_remote_code=known.trust_remote_code,
    )
    if run.kind == Kind.TRAIN:
        technique, adapter = techniques.get(run.technique), adapters.get(run.adapter)
        order.technique, order.trainer, order.config = technique.name, technique.trainer, technique.config
        order.parameters, order.adapter_parameters = run.parameters, run.adapter_parameters
        order.peft = adapter.peft
        order.data = _data(run.dataset_version)
        order.held_out = _data(run.held_out)
    return order


def model_order(session: Session, model: Model) -> ModelOrder:
    """Where a model's files are, and those of the base it sits on."""
    folder = weights.folder_of(model)
    is_adapter = folder is not None and (folder / "adapter_config.json").exists()
    base = session.get(Model, model.base_id) if is_adapter and model.base_id else None
    return ModelOrder(
        id=model.id,
        name=model.name,
        source=str(folder or model.source),
        base=model_order(session, base) if base else None,
    )


def questions(session: Session, run_id: int) -> list[dict[str, Any]]:
    """What a serving run has been asked and not been told yet, each with its model's whereabouts."""
    return [
        {
            "id": answer.id,
            "model": model_order(session, session.get_one(Model, answer.model_id)).model_dump(),
            "messages": answer.messages,
            "options": answer.options,
        }
        for answer in attempts.take_questions(session, run_id)
    ]


def _data(version: DatasetVersion | None) -> DataOrder | None:
    if version is None:
        return None
    return DataOrder(path=library.rows_path(version), shape=version.shape, title=version.title)
