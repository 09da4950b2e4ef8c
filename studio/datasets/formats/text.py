"""Plain text: {"text"}, as from a .txt file split at blank lines."""

from studio.datasets.formats.base import Format, Row, keep_meta, read_text


def fits(row: Row) -> str | None:
    return "text" if isinstance(row.get("text"), str) else None


def normalise(row: Row, shape: str) -> Row:
    return keep_meta({"text": read_text(row, "text")}, row, ("text",))


FORMAT = Format("text", "Plain text", ("text",), "“text”", fits, normalise, order=170)
