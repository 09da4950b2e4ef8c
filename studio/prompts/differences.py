"""What lies between two ways of putting a question, in words."""

from studio.prompting import Example, Prompting

SHORT = 60  # characters of a template that are quoted


def between(before: Prompting, after: Prompting) -> list[str]:
    """One sentence a change; empty where nothing differs."""
    return [
        *_instruction(before.system, after.system),
        *_template(before.template, after.template),
        *_examples(before.examples, after.examples),
    ]


def _instruction(before: str, after: str) -> list[str]:
    if before == after:
        return []
    if not before:
        return ["An instruction was added."]
    return ["The instruction was reworded." if after else "The instruction was taken out."]


def _template(before: str, after: str) -> list[str]:
    if before == after:
        return []
    return [f"The template was “{_shortened(before)}” and is “{_shortened(after)}”."]


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHORT else f"{line[:SHORT].rstrip()} …"


def _examples(before: list[Example], after: list[Example]) -> list[str]:
    if before == after:
        return []
    old, new = {each.input: each for each in before}, {each.input: each for each in after}
    added, gone = len(new.keys() - old.keys()), len(old.keys() - new.keys())
    reworded = sum(old[question] != new[question] for question in old.keys() & new.keys())
    counted = ((added, "added"), (gone, "taken out"), (reworded, "answered otherwise"))
    said = [_counted(number, verb) for number, verb in counted if number]
    return said or ["The examples stand in another order."]


def _counted(number: int, verb: str) -> str:
    return f"One example was {verb}." if number == 1 else f"{number} examples were {verb}."
