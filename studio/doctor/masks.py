"""The wrong tokens count in the loss: none, or the prompts too."""

from studio.doctor.base import (
    OUR_RULE,
    Change,
    Finding,
    Limits,
    Patient,
    Rule,
    evidence,
    share,
    threshold,
)

KEY = "learned_tokens"
ANSWERING = {"chat", "instruction", "preference", "classification"}  # shapes with a prompt in every row


def examine(patient: Patient, limits: Limits) -> Finding | None:
    learned = patient.series[KEY].end
    least, most = limits["masks_least"], 1 - limits["masks_prompt"]
    if learned < least:
        said = (
            f"Only {share(learned)} of the tokens count in the loss: there is next to nothing to learn from."
        )
        shown = evidence(patient, KEY, lambda value: value < least, least)
        return Finding(
            "error",
            said,
            (shown,),
            _room_for_answers(patient),
            "Look at the first batch on the page of a new run: learned tokens are marked there.",
        )
    if learned > most and patient.shape in ANSWERING:
        said = f"{share(learned)} of the tokens count in the loss: the prompts are learned too."
        shown = evidence(patient, KEY, lambda value: value > most, most)
        change = Change("loss_on", "answers", "Capacity goes into answering, not into asking")
        return Finding("warning", said, (shown,), (change,) if "loss_on" in patient.settings else ())
    return None


def _room_for_answers(patient: Patient) -> tuple[Change, ...]:
    longest = patient.settings.get("max_length")
    if longest and patient.has("rows_cut") and patient.series["rows_cut"].end > 0.5:
        return (Change("max_length", 4 * longest, "Most rows are cut off before their answer begins"),)
    return ()


RULE = Rule(
    name="masks",
    title="Wrong tokens learned",
    explanation="Only the tokens of answers should count in the loss. Where prompts count too, the model "
    "learns to write prompts; where hardly any token counts, the answers are cut off, empty, or not "
    "recognised in the chat template.",
    concerns=lambda patient: patient.technique.reads in ("answers", "pairs") and patient.has(KEY),
    examine=examine,
    thresholds={
        "masks_least": threshold(
            "Wrong tokens learned: least",
            "Share of the tokens that has to count in the loss.",
            0.01,
            f"{OUR_RULE}: an answer of ten words to a prompt of a thousand is 1 %",
        ),
        "masks_prompt": threshold(
            "Wrong tokens learned: prompts",
            "Share of the tokens that has to be left out where rows have prompts.",
            0.02,
            f"{OUR_RULE}: the shortest prompt in a chat template is more than 2 % of its row",
        ),
    },
    of_data=True,
    order=120,
)
