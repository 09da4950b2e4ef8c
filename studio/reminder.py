"""A day to come back as a calendar file (iCalendar, RFC 5545): one event that lasts the day."""

from datetime import UTC, date, datetime, timedelta

LINE = 75  # bytes a line may have


def write(uid: str, day: date, title: str, text: str, url: str, stamp: datetime) -> bytes:
    """The file. `uid` stays the same for the same event, so that a newer file moves it."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tunesmith//Plans//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{stamp.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
        f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{_escaped(title)}",
        f"DESCRIPTION:{_escaped(text)}",
        f"URL:{url}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return b"".join(_folded(line.encode()) + b"\r\n" for line in lines)


def _escaped(text: str) -> str:
    for sign in ("\\", ";", ","):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\r", "").replace("\n", "\\n")


def _folded(line: bytes) -> bytes:
    """Long lines go on after a line break and a space; no character is cut in two."""
    parts, width = [], LINE
    while len(line) > width:
        end = width
        while line[end] & 0xC0 == 0x80:
            end -= 1
        parts.append(line[:end])
        line, width = line[end:], LINE - 1
    return b"\r\n ".join([*parts, line])
