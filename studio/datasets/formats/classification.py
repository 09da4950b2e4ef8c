"""Classification: a text (or an image by its path or address) and its class."""

from studio.datasets.formats.base import Format, Row, RowError, first_key, keep_meta, read_text

TEXTS = ("text", "sentence", "image")
LABELS = ("label", "labels", "class", "label_text")


def fits(row: Row) -> str | None:
    return "classification" if first_key(row, TEXTS) and first_key(row, LABELS) else None


def normalise(row: Row, shape: str) -> Row:
    text, label = first_key(row, ("text", "sentence")), first_key(row, LABELS)
    if not label or not (text or "image" in row):
        raise RowError("does not have a text and its label")
    value = row[label]
    if value is None or value == "" or isinstance(value, dict):
        raise RowError(f"“{label}” is empty or not a class name")
    made: Row = {"text": read_text(row, text) if text else "", "label": value}
    if "image" in row:
        if not isinstance(row["image"], str):
            raise RowError("“image” is not a path or an address: images inside a file cannot be read")
        made["image"] = row["image"]
    return keep_meta(made, row, (text or "", label, "image"))


FORMAT = Format(
    "classification",
    "Classification",
    ("classification",),
    "“text” and “label”",
    fits,
    normalise,
    order=140,
)
