"""Runs side by side: choosing them by address, figures, settings that differ, answers to the same prompt."""

from pathlib import Path

from sqlalchemy.orm import Session

from studio import db, runs
from studio.models import Run, Sample, State
from tests import made_runs


def read(name: str, query: str = "") -> str:
    answer = made_runs.fragments().get(f"/parts/{name}?{query}")
    assert answer.status_code == 200
    return answer.text


def two(session: Session, **second: object) -> tuple[Run, Run]:
    model, data, held = (
        made_runs.base(session),
        made_runs.version(session),
        made_runs.version(session, "held"),
    )
    made = [
        made_runs.made(
            session,
            model,
            data,
            State.SUCCEEDED,
            losses=[2.0, 0.5],
            name=name,
            held_out=held.id,
            parameters=more,
        )
        for name, more in (("alpha", {}), ("beta", {"learning_rate": 0.0005} | second))
    ]
    made[0].latest = made[0].latest | {"eval_loss": 0.61}
    made[1].latest = made[1].latest | {"eval_loss": 0.72}
    return made[0], made[1]


def test_fewer_than_two_runs_are_asked_for_more(database: Path) -> None:
    assert "Choose at least two runs" in read("compare")
    with db.transaction() as session:
        first, second = two(session)
    text = read("compare", f"runs={first.id}")
    assert "Choose one more run" in text
    assert f'href="/compare?runs={first.id},{second.id}"' in text
    assert "data-charts" not in text
    assert read("compare-samples", f"runs={first.id}") == ""


def test_curves_of_all_runs_are_drawn_over_one_another(database: Path) -> None:
    with db.transaction() as session:
        first, second = two(session)
    text = read("compare", f"runs={first.id},{second.id}")
    assert f'data-charts="/api/metrics?run={first.id}&amp;run={second.id}"' in text
    assert f'href="/compare?runs={second.id}" aria-label="Remove alpha"' in text


def test_only_settings_that_differ_are_listed_unless_all_are_asked_for(database: Path) -> None:
    with db.transaction() as session:
        first, second = two(session)
    query = f"runs={first.id},{second.id}"
    text = read("compare", query)
    assert "Learning rate" in text
    assert "0.0005" in text
    assert "Weight decay" not in text
    assert "Weight decay" in read("compare", f"{query}&all=1")
    assert "LoRA: Rank" in read("compare", f"{query}&all=1")


def test_the_better_run_is_marked_by_figures_on_the_same_held_out_data_only(database: Path) -> None:
    with db.transaction() as session:
        first, second = two(session)
    query = f"runs={first.id},{second.id}"
    assert '<b>0.6100</b> <span class="tag best">best</span>' in read("compare", query)
    with db.transaction() as session:
        session.get_one(Run, second.id).held_out_id = None
    assert "best" not in read("compare", query)


def test_runs_set_the_same_are_said_to_be(database: Path) -> None:
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        ids = [made_runs.made(session, model, data, State.SUCCEEDED, losses=[1.0]).id for _ in range(2)]
    assert "They were set the same" in read("compare", f"runs={ids[0]},{ids[1]}")


def test_a_deleted_run_is_left_out_with_a_word(database: Path) -> None:
    with db.transaction() as session:
        first, second = two(session)
    assert "Run 99 is no longer there" in read("compare", f"runs={first.id},{second.id},99")


def test_answers_to_the_same_prompt_stand_side_by_side(database: Path) -> None:
    with db.transaction() as session:
        first, second = two(session)
        for run, answer in ((first, "yes"), (second, "<i>no")):
            scores = {"exact_match": float(answer == "yes")}
            session.add(
                Sample(
                    run_id=run.id,
                    step=2,
                    number=0,
                    prompt="ready?",
                    answer=answer,
                    reference="yes",
                    scores=scores,
                )
            )
    text = read("compare-samples", f"runs={first.id},{second.id}")
    assert text.count("ready?") == 1
    assert "matches" in text
    assert "differs" in text
    assert "&lt;i&gt;no" in text


def test_an_imported_run_stands_beside_one_that_was_trained_here(database: Path) -> None:
    with db.transaction() as session:
        mine = made_runs.made(session, made_runs.base(session), made_runs.version(session), losses=[2.0])
        other = runs.imported(session, "from a laptop", source="trainer_state.json")
    answer = made_runs.fragments().get(f"/parts/compare?runs={mine.id},{other.id}")
    assert answer.status_code == 200
    assert "from a laptop" in answer.text
