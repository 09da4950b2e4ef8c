"""The settings of a new run, the sweep over them, and how they differ from what is recommended. A helper of
`app.pages.new_run`, no page."""

from typing import Any

from markupsafe import Markup

from app import forms
from app.forms import Field
from app.pages.new_run_sheet import Sheet
from app.parts import render
from app.parts.words import short
from app.setup import several, verdict
from app.setup.plan import Plan
from studio import comparison, runs
from studio.errors import StudioError
from studio.models import Run

MOST_SHOWN = 12  # combinations of a sweep that are listed
# Settings of every technique, by what a person would look for; those of one technique stand under its name.
GROUPS = {
    "Steps and learning rate": (
        *("learning_rate", "num_train_epochs", "per_device_train_batch_size", "max_steps"),
        *("gradient_accumulation_steps", "lr_scheduler_type", "warmup_ratio"),
        *("weight_decay", "max_grad_norm"),
    ),
    "Measuring and checkpoints": (
        *("logging_steps", "eval_steps", "eval_rows", "save_steps", "save_total_limit"),
        *("keep_best", "early_stopping"),
    ),
    "Samples": ("sample_prompts", "sample_tokens", "sample_steps"),
    "Memory and speed": (
        *("activation_checkpointing", "bf16", "torch_compile", "liger"),
        "dataloader_num_workers",
    ),
}
GROUP_OF = {name: title for title, names in GROUPS.items() for name in names}


def settings(sheet: Sheet) -> Markup:
    plan, setup = sheet.plan, sheet.setup
    tried = tried_in(plan)
    fields = forms.describe(
        plan.technique.parameters,
        "parameters",
        plan.values.technique,
        plan.advised.technique,
        sheet.marks(tried, {name: each.source for name, each in plan.suggested.items()}),
    )
    of_adapter = forms.describe(
        plan.adapter.parameters,
        "adapter_parameters",
        plan.values.adapter,
        plan.advised.adapter,
        sheet.marks(
            {
                name.removeprefix(several.OF_ADAPTER): words
                for name, words in tried.items()
                if name.startswith(several.OF_ADAPTER)
            }
        ),
    )
    has_model = any(field.control == "model" for field in (*fields, *of_adapter))
    rest = in_groups(plan, fields, of_adapter)
    combinations = sheet.verdict.combinations
    return render(
        "new_run_settings.html",
        advice=advice_of(plan),
        basic=[field for field in (*fields, *of_adapter) if field.is_basic],
        rest=rest,
        rest_count=sum(len(group) for _, group in rest),
        models=sheet.any_models if has_model else [],
        clone=setup.clone,
        cloned=clone_differences(plan) if setup.clone is not None else [],
        differing=differences(plan),
        sweep=setup.sweep,
        varied=plan.varied,
        variable=plan.variable,
        runs=len(combinations),
        combinations=[
            [forms.readable(row[each.name]) for each in plan.varied] for row in combinations[:MOST_SHOWN]
        ],
        name=setup.name,
        seed=forms.as_text(setup.seed),
        id_of=forms.id_of,
        wrong=sheet.wrong,
        said=sheet.said,
    )


def tried_in(plan: Plan) -> dict[str, str]:
    """What the sweep tries of each setting, in words; nothing while that is not said right."""
    try:
        return {name: several.worded(value) for name, value in verdict.sweep_fields(plan).items()}
    except StudioError:
        return {each.name: "several values" for each in plan.varied}


def in_groups(plan: Plan, fields: list[Field], of_adapter: list[Field]) -> list[tuple[str, list[Field]]]:
    """What is not shown first: the technique's own, the adapter's, then what all trainings share."""
    titles = (plan.technique.title, f"Adapter: {plan.adapter.title}", *GROUPS)
    groups: dict[str, list[Field]] = {title: [] for title in titles}
    for field in fields:
        if not field.is_basic:
            groups[GROUP_OF.get(field.name, plan.technique.title)].append(field)
    groups[titles[1]] = [field for field in of_adapter if not field.is_basic]
    return [(title, group) for title, group in groups.items() if group]


def advice_of(plan: Plan) -> str:
    """Recommended for a model of 1.05M parameters with LoRA, after the guide's answer."""
    size = f"a model of {short(plan.size)} parameters" if plan.size else "a model whose size is not known yet"
    guided = ", with the starting values of the guide" if plan.guided else ""
    return f"Recommended for {size} with {plan.adapter.title}{guided}."


def differences(plan: Plan) -> list[tuple[str, str, str]]:
    """(title, recommended, chosen) of every setting the person changed."""
    kinds = (plan.technique.parameters, plan.adapter.parameters)
    return [
        (forms.title(kind, name), forms.readable(advised.get(name)), forms.readable(value))
        for kind, advised, changed in zip(kinds, plan.advised, plan.changed, strict=True)
        for name, value in changed.items()
    ]


def clone_differences(plan: Plan) -> list[tuple[str, str, str]]:
    """(title, in that run, here) of everything that differs from the run this was cloned from."""
    run = runs.get(plan.session, plan.setup.clone or 0)
    before = comparison.settings_of(run)
    now: dict[str, Any] = {
        "technique": plan.setup.technique,
        "adapter": plan.setup.adapter,
        "model": plan.model.name if plan.model else plan.setup.model,
        "dataset": plan.dataset.title if plan.dataset else "",
        "held-out data": plan.held_out.title if plan.held_out else "",
        "seed": plan.setup.seed,
        "gpus": plan.setup.gpus,
        **{f"inputs:{name}": value for name, value in plan.inputs.items()},
        **plan.values.technique,
        **{f"{plan.setup.adapter}.{name}": value for name, value in plan.values.adapter.items()},
    }
    kind = plan.technique.parameters
    titles = {f"inputs:{each.name}": each.title for each in plan.technique.inputs}
    found = [
        (titles.get(name) or forms.title(kind, name), forms.readable(before.get(name)), forms.readable(value))
        for name, value in now.items()
        if not forms.same(value, before.get(name))
    ]
    return found + graders_differences(plan, run)


def graders_differences(plan: Plan, run: Run) -> list[tuple[str, str, str]]:
    """One line where the graders are others, weigh otherwise or are set otherwise."""
    here = [
        {"name": each.given.name or each.grader.name, "weight": each.given.weight, "parameters": each.values}
        for each in plan.graders
    ]
    there = [{name: each[name] for name in ("name", "weight", "parameters")} for each in run.graders]
    if here == there:
        return []
    old, new = (
        ", ".join(f"{each['name']} × {forms.as_text(each['weight'])}" for each in side)
        for side in (there, here)
    )
    return [("Graders", old or "none", f"{new or 'none'}{', set otherwise' if old == new else ''}")]
