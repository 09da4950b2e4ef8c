"""Runs side by side: choosing them by address, figures, settings that differ, answers to the same prompt."""

import html
import json
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from app.setup import beginning
from studio import db, metrics, runs
from studio.comparison import keeping
from studio.models import Project, Run, Sample, State, Sweep
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
    assert "Choose one more run" in read("compare", f"runs={first.id}")
    assert f'href="/compare?runs={first.id},{second.id}"' in read("compare-offers", f"runs={first.id}")
    for part in ("figures", "charts", "standing", "settings", "samples"):
        assert read(f"compare-{part}", f"runs={first.id}").strip() == ""


def test_curves_of_all_runs_are_drawn_over_one_another(database: Path) -> None:
    with db.transaction() as session:
        first, second = two(session)
    query = f"runs={first.id},{second.id}"
    charts = read("compare-charts", query)
    assert f'data-charts="/api/metrics?run={first.id}&amp;run={second.id}"' in charts
    assert "data-groups" not in charts
    assert f'href="/compare?runs={second.id}" aria-label="Remove alpha"' in read("compare", query)


def test_only_settings_that_differ_are_listed_unless_all_are_asked_for(database: Path) -> None:
    with db.transaction() as session:
        first, second = two(session)
    query = f"runs={first.id},{second.id}"
    text = read("compare-settings", query)
    assert "Learning rate" in text
    assert "0.0005" in text
    assert "Weight decay" not in text
    assert "Weight decay" in read("compare-settings", f"{query}&all=1")
    assert "LoRA: Rank" in read("compare-settings", f"{query}&all=1")


def test_the_better_run_is_marked_by_figures_on_the_same_held_out_data_only(database: Path) -> None:
    with db.transaction() as session:
        first, second = two(session)
    query = f"runs={first.id},{second.id}"
    assert '<b>0.6100</b> <span class="tag best">best</span>' in read("compare-figures", query)
    with db.transaction() as session:
        session.get_one(Run, second.id).held_out_id = None
    assert "best" not in read("compare-figures", query)


def test_runs_set_the_same_are_said_to_be(database: Path) -> None:
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        ids = [made_runs.made(session, model, data, State.SUCCEEDED, losses=[1.0]).id for _ in range(2)]
    assert "They were set the same" in read("compare-settings", f"runs={ids[0]},{ids[1]}")


def many(
    session: Session, rates: Sequence[float] = (0.001, 0.0001), seeds: Sequence[int] = (1, 2)
) -> list[int]:
    """A run for each learning rate and seed; the smaller rate is the better."""
    model, data = made_runs.base(session), made_runs.version(session)
    held = made_runs.version(session, "held")
    found = []
    for rate in rates:
        for seed in seeds:
            settings = {"learning_rate": rate}
            run = made_runs.made(
                session,
                model,
                data,
                State.SUCCEEDED,
                losses=[2.0, 1.0],
                name=f"rate {rate} seed {seed}",
                held_out=held.id,
                seed=seed,
                parameters=settings,
                tags=[f"seed {seed}"],
            )
            metrics.append(session, run.id, [{"step": 0, "time": 1e9, "data": {"eval_loss": 2.0}}])
            run.latest = run.latest | {"eval_loss": 0.5 + 100 * rate + 0.001 * seed}
            found.append(run.id)
    return found


def listed(ids: Sequence[int]) -> str:
    return "runs=" + ",".join(map(str, ids))


def test_twenty_runs_stand_beside_each_other_and_no_more(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session, seeds=range(11))
    query = listed(ids)
    figures = read("compare-figures", query)
    assert figures.count("<tr data-key=") == 20
    assert figures.count('data-dash="1"') == 8
    assert figures.count('data-dash="2"') == 4
    assert "20 runs chosen" in read("compare", query)
    assert "20 runs at most" in read("compare-offers", query)
    assert "The address names 2 more runs" in read("compare", query)


def test_all_that_a_search_finds_are_added_up_to_the_limit(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session, seeds=range(12))
    found = read("compare-offers", f"runs={ids[0]}&find=learning_rate:1e-4")
    assert "Add all 12 found" in found
    assert "compare?runs=" + ",".join(map(str, [ids[0], *ids[:11:-1]])) in found
    assert "find=learning_rate%3A1e-4" in found
    assert "Add the first 20 of 24 found: 20 at most" in read("compare-offers", "find=rate")


def test_a_whole_sweep_tag_or_use_case_is_added_at_once(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session)
        sweep = Sweep(name="rates <i>", method="grid")
        use_case = Project(name="Labels")
        session.add_all([sweep, use_case])
        session.flush()
        for run_id in ids[:2]:
            session.get_one(Run, run_id).sweep_id = sweep.id
            session.get_one(Run, run_id).project_id = use_case.id
    text = read("compare-offers")
    for said in ("Sweep “rates &lt;i&gt;”", "Tag “seed 1”", "Use case “Labels”"):
        assert said in text
    assert f'href="/compare?runs={ids[0]},{ids[2]}"' in text
    assert "Use case" not in read("compare-offers", "find=seed")


def test_a_filter_hides_runs_and_the_address_keeps_them(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session)
    query = f"{listed(ids)}&keep=learning_rate:0.001"
    assert "2 of 4 runs hidden" in read("compare", query)
    figures = read("compare-figures", query)
    assert "rate 0.001 seed 1" in figures
    assert "rate 0.0001" not in figures
    assert f"compare?{listed(ids[1:])}&amp;keep=learning_rate%3A0.001" in read("compare", query)
    assert "Fewer than two runs match" in read("compare", f"{listed(ids)}&keep=nothing")


def test_runs_are_grouped_by_a_setting_with_mean_and_spread(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session)
    query = f"{listed(ids)}&group=learning_rate"
    figures = read("compare-figures", query)
    assert "learning rate 0.0001" in figures
    assert "0.5115 ± 0.0007" in figures
    groups = html.unescape(read("compare-charts", query))
    wanted = [
        {"title": "learning rate 0.001", "runs": ids[:2]},
        {"title": "learning rate 0.0001", "runs": ids[2:]},
    ]
    assert f'data-groups="{json.dumps(wanted, separators=(",", ":"))}"' in groups
    options = read("compare", query)
    assert '<option value="learning_rate" selected>Learning rate</option>' in options
    assert '<option value="same">All but the seed</option>' in options
    assert '<option value="weight_decay"' not in options


def test_the_best_is_told_with_an_interval_over_seeds_and_what_a_gain_cost(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session)
    text = read("compare-standing", listed(ids)).split("<tbody>")[1]
    assert text.index("rate 0.0001 seed 1") < text.index("rate 0.001 seed 1")
    assert "told apart from the second" in text
    assert "0.5051 to 0.5179" in text
    assert "+1.49" in text
    over = read("compare-standing", f"{listed(ids)}&baseline={ids[0]}")
    assert "it became no better" in over


def test_with_one_seed_nobody_can_say_and_more_seeds_are_one_click_away(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session, seeds=(7,))
    text = read("compare-standing", listed(ids))
    assert "one seed: no interval, so nobody can say" in text
    assert f'href="/new-run?clone={ids[1]}&amp;seeds=8,9"' in text
    with db.reading() as session:
        setup = beginning.begin(session, {"clone": str(ids[1]), "seeds": "8,9"})
    assert setup.sweep.fields["seed"].values == "8, 9"


def test_runs_measured_on_different_data_are_not_ranked(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session, seeds=(1,))
        other = made_runs.version(session, "other")
        session.get_one(Run, ids[0]).held_out_id = other.id
    assert "different held-out data" in read("compare-standing", listed(ids))


def saved(query: str) -> int:
    with db.transaction() as session:
        return keeping.keep(session, query, name="Rates <b>", note="See\n<script>", who="ada").id


def test_a_saved_comparison_shows_what_was_saved(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session)
    number = saved(f"?{listed(ids)}&group=learning_rate&find=x")
    head = read("compare", f"saved={number}")
    assert "Rates &lt;b&gt;" in head
    assert "See\n&lt;script&gt;" in head
    assert "Changed since it was saved" not in head
    assert "learning rate 0.0001" in read("compare-figures", f"saved={number}")
    assert "Rates &lt;b&gt;" in read("compare")


def test_a_saved_comparison_that_was_changed_can_be_saved_or_taken_back(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session)
    number = saved(listed(ids))
    for change in (f"saved={number}&group=seed", f"saved={number}&{listed(ids[:2])}"):
        head = read("compare", change)
        assert "Changed since it was saved" in head
        assert f'href="/compare?saved={number}"' in head
        assert "Save as new" in head
    assert "Changed since" not in read("compare", f"saved={number}&{listed(ids)}")


def test_a_saved_comparison_keeps_how_its_other_parts_are_shown(database: Path) -> None:
    with db.transaction() as session:
        ids = many(session)
    number = saved(f"{listed(ids)}&how=best&metric=eval_loss")
    usual, kept = read("compare-relations", listed(ids)), read("compare-relations", f"saved={number}")
    assert '<option value="best" selected' in kept
    assert '<option value="best" selected' not in usual


def test_a_saved_comparison_that_is_gone_is_said_to_be(database: Path) -> None:
    assert "no longer there" in read("compare", "saved=99")


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
    answer = made_runs.fragments().get(f"/parts/compare-figures?runs={mine.id},{other.id}")
    assert answer.status_code == 200
    assert "from a laptop" in answer.text
