"""Writes orders: what the database says of a run, as the file its trainer reads."""

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
        models=[_model(session, model) for model in _models(session, run)],
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


def _models(session: Session, run: Run) -> list[Model]:
    if run.kind == Kind.TRAIN:
        return [run.model] if run.model else []
    found = [session.get(Model, model_id) for model_id in run.parameters["models"]]
    return [model for model in found if model]


def _model(session: Session, model: Model) -> ModelOrder:
    folder = weights.folder_of(model)
    is_adapter = folder is not None and (folder / "adapter_config.json").exists()
    base = session.get(Model, model.base_id) if is_adapter and model.base_id else None
    return ModelOrder(
        id=model.id,
        name=model.name,
        source=str(folder or model.source),
        base=_model(session, base) if base else None,
    )


def _data(version: DatasetVersion | None) -> DataOrder | None:
    if version is None:
        return None
    return DataOrder(path=library.rows_path(version), shape=version.shape, title=version.title)
