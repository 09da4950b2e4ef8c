"""Writes orders: what the database says of a run, as the file its trainer reads."""

from typing import Any

from sqlalchemy.orm import Session

from studio import adapters, attempts, evaluations, settings, storage, techniques, weights
from studio.adapters import Adapter
from studio.datasets import library
from studio.graders.choice import GraderChoice, models_named
from studio.models import DatasetVersion, Kind, Model, Run
from studio.techniques import Technique
from worker.order import DataOrder, GraderOrder, ModelOrder, Order


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
    if run.kind != Kind.SERVE:
        order.parameters, order.adapter_parameters = run.parameters, run.adapter_parameters
        order.data, order.held_out = _data(run.dataset_version), _data(run.held_out)
        order.graders = [_grader(session, GraderChoice.model_validate(each)) for each in run.graders]
    if run.kind == Kind.LAB:
        order.reads = "prompts"
    if run.kind == Kind.EVALUATE:
        order.models = [model_order(session, each) for each in evaluations.models(session, run)]
        order.done = evaluations.answered(session, run)
    if run.kind == Kind.TRAIN:
        fill(order, techniques.get(run.technique), adapters.get(run.adapter))
        _add_inputs(session, order, techniques.get(run.technique), run.inputs)
    return order


def fill(order: Order, technique: Technique, adapter: Adapter) -> None:
    """What technique and adapter say of an order that has its parameters and its data already."""
    assert order.data is not None
    order.technique, order.trainer, order.config = technique.name, technique.trainer, technique.config
    order.arguments = technique.trainer_arguments(
        order.parameters, order.data.shape, measured=order.held_out is not None
    )
    if order.graders and technique.graded:  # elsewhere they score the samples alone
        order.arguments["reward_weights"] = [part.weight for part in order.graders]
    order.reads, order.makes, order.keeps_reference = technique.reads, technique.model, technique.reference
    order.starts_whole = technique.starts_whole(adapter)
    order.best_by = technique.best_by
    order.adapter, order.peft = adapter.name, adapter.peft


def _add_inputs(session: Session, order: Order, technique: Technique, given: dict[str, Any]) -> None:
    for wanted in technique.inputs:
        if not (reference := given.get(wanted.name)):
            continue
        if wanted.kind == "model":
            order.input_models[wanted.name] = model_order(session, weights.find(session, reference))
        else:
            found = _data(library.find_version(session, reference))
            assert found is not None
            order.input_data[wanted.name] = found


def _grader(session: Session, choice: GraderChoice) -> GraderOrder:
    return GraderOrder(
        name=choice.name,
        grader=choice.grader,
        weight=choice.weight,
        parameters=choice.parameters,
        models={
            field: model_order(session, weights.find(session, reference))
            for field, reference in models_named(choice).items()
        },
    )


def model_order(session: Session, model: Model) -> ModelOrder:
    """Where a model's files are, and those of the base it sits on."""
    base = weights.base_of(session, model)
    return ModelOrder(
        id=model.id,
        name=model.name,
        source=weights.source(model),
        kind=model.kind,
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
