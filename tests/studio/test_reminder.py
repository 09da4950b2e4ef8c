"""A calendar file that other programs read: lines of 75 bytes, escaped, one day long."""

from datetime import UTC, date, datetime

from studio import reminder

STAMP = datetime(2026, 11, 29, 12, tzinfo=UTC)


def written(title: str = "Come back", text: str = "Why") -> bytes:
    return reminder.write("plan-9@tunesmith", date(2026, 12, 31), title, text, "http://studio/plan", STAMP)


def test_the_event_lasts_the_day() -> None:
    lines = written().decode().split("\r\n")
    assert "DTSTART;VALUE=DATE:20261231" in lines
    assert "DTEND;VALUE=DATE:20270101" in lines
    assert "DTSTAMP:20261129T120000Z" in lines
    assert lines[-2:] == ["END:VCALENDAR", ""]


def test_signs_with_a_meaning_are_escaped() -> None:
    assert b"SUMMARY:a\\, b\\; c\\\\d\\ne" in written(title="a, b; c\\d\ne")


def test_long_lines_go_on_without_cutting_a_letter_in_two() -> None:
    text = "ü€𝄞" * 60
    body = written(text=text)
    assert max(map(len, body.split(b"\r\n"))) <= 75
    assert f"DESCRIPTION:{text}" in body.replace(b"\r\n ", b"").decode()
