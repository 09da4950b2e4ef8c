"""The style guide at /look: every part a page may use, with made-up content. Not in the navigation."""

from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from app.navigation import Page
from app.parts import Query, fragment, live, render
from app.toolkit import gr, html
from studio.errors import StudioError

STATES = ["queued", "claimed", "running", "paused", "succeeded", "failed", "cancelled"]
KINDS = ["good", "bad", "warn", "info", "wait"]


@fragment("look")
def look(query: Query) -> Markup:
    return render("look.html", states=STATES, kinds=KINDS, runs=list(runs()), tab=query.text("tab", "charts"))


@fragment("look-error")
def look_error(_query: Query) -> Markup:
    raise StudioError(
        "There is no run 99.", hint="It may have been deleted. The list has those that are left."
    )


def runs() -> list[dict[str, object]]:
    start = datetime.now(UTC).replace(second=0, microsecond=0)
    total = 6000
    steps = [12, 0, 2430, 3120, 6000, 913, 1500]
    names = [
        "directions-sft",
        "directions-dpo",
        "triage-grpo",
        "notes-sft",
        "codes-kto",
        "tools-grpo",
        "letters-sft",
    ]
    return [
        {
            "id": number + 1,
            "name": name,
            "state": state,
            "technique": name.rpartition("-")[2].upper(),
            "step": step,
            "total": total,
            "loss": 0.45119 / (number + 1) if step else None,
            "started": start - timedelta(hours=3 * number, minutes=7),
        }
        for number, (name, state, step) in enumerate(zip(names, STATES, steps, strict=True))
    ]


def build() -> None:
    html(live("look", every=5, rows=6), elem_id="look")
    with gr.Column(elem_classes="card"):
        gr.Markdown("## Gradio inputs, dressed")
        with gr.Row():
            gr.Textbox(
                label="Name", info="How you will find the run again.", elem_id="look-name", interactive=True
            )
            gr.Dropdown(
                ["SFT", "DPO", "GRPO"],
                value="SFT",
                label="Technique",
                elem_id="look-technique",
                interactive=True,
            )
        with gr.Row():
            gr.Number(
                0.0002, label="Learning rate", info="0.00001 to 0.001", elem_id="look-rate", interactive=True
            )
            gr.Slider(
                1,
                64,
                value=16,
                step=1,
                label="Rank",
                info="Size of the adapter.",
                elem_id="look-rank",
                interactive=True,
            )
        gr.Radio(["Full", "LoRA"], value="LoRA", label="Adapter", elem_id="look-adapter", interactive=True)
        gr.Checkbox(
            True,
            label="Save checkpoints",
            info="So that the run can go on later.",
            elem_id="look-save",
            interactive=True,
        )
        with gr.Accordion("All settings", open=False, elem_id="look-all"):
            gr.Textbox(label="Note", lines=3, elem_id="look-note", interactive=True)
        with gr.Row():
            gr.Button("Start", variant="primary", elem_id="look-start")
            gr.Button("Save as draft", elem_id="look-draft")


PAGE = Page(path="/look", title="Look", build=build, in_nav=False)
