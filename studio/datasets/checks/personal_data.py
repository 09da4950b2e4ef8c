"""What looks like personal data: email addresses, phone and card numbers, bank and national ids.

Patterns with check digits where there are any (Luhn for cards, ISO 7064 mod 97 for IBAN, the control
letter of the Spanish DNI). It points, it does not prove; names and addresses are not found.
"""

import re
from collections import Counter
from collections.abc import Callable

from studio.datasets.checks.base import Check, Finding, Tally, rows
from studio.datasets.view import View

EMAIL = re.compile(r"\b[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}\b")
PHONE = re.compile(
    r"(?<![\w+])(?<!\d[ -])(?:\+[1-9]\d{0,2}[ ./-]?(?:\(\d{1,4}\)[ ./-]?)?(?:\d{1,5}[ ./-]?){2,5}\d{2,4}"
    r"|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}|0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5}|0\d(?:[ .]\d{2}){4})(?!\w)(?![ -]\d)"
)
CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d.-])")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
NATIONAL = re.compile(
    r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"  # US social security number
    r"|\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"  # UK national insurance number
    r"|(?<![\w-])\d{8}-?[A-HJ-NP-TV-Z](?![\w-])"  # Spanish DNI
)
# For the quick look: digits to "0", separators to "-", all else to " ".
_SEPARATORS = b" -./()+"
_LOOK = bytes(
    ord("0") if byte in b"0123456789" else ord("-") if byte in _SEPARATORS else ord(" ")
    for byte in range(256)
)


class PersonalData:
    def __init__(self) -> None:
        self.tally = Tally()
        self.kinds: Counter[str] = Counter()

    def see(self, view: View) -> None:
        text = view.text
        kinds: list[tuple[str, str]] = []
        if "@" in text and (found := EMAIL.search(text)):
            kinds.append(("email address", found.group()))
        if may_hold_numbers(view.folded):
            kinds += find_numbers(text)
        if kinds:
            self.kinds.update(kind for kind, _ in kinds)
            self.tally.add(view.line, ", ".join(f"{kind}: {mask(found)}" for kind, found in kinds))

    def finish(self) -> Finding | None:
        kinds = ", ".join(f"{kind} ({count:,})" for kind, count in self.kinds.most_common())
        return self.tally.finding(
            "personal_data",
            "warning",
            f"{rows(self.tally.count, 'holds', 'hold')} what looks like personal data: {kinds}",
            "Replace them with made-up values unless you may train on them: models repeat what they saw.",
        )


def may_hold_numbers(text: bytes) -> bool:
    """A quick no for most texts: any of the numbers has three digits together or pairs of them, and six
    in a row without its separators."""
    seen = text.translate(_LOOK)
    return (b"000" in seen or b"00-00-00" in seen) and b"000000" in seen.translate(None, b"-")


def find_numbers(text: str) -> list[tuple[str, str]]:
    """(kind, what) of the first of each kind of number in the text."""
    found: list[tuple[str, str]] = []
    for kind, pattern, holds in NUMBERS:
        match = next((match for match in pattern.finditer(text) if holds(match.group())), None)
        if match:
            found.append((kind, match.group()))
            text = text.replace(match.group(), " ")  # a card number is not also a phone number
    return found


def mask(found: str) -> str:
    """Enough to recognise it in the file, not enough to use it."""
    return f"{found[:3]}…{found[-2:]}"


def passes_luhn(number: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812); numbers of one repeated digit are no cards."""
    digits = [int(sign) for sign in number if sign.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (
        len(set(digits)) > 1 and digits[0] in (2, 3, 4, 5, 6) and (sum(digits[::-2]) + sum(doubled)) % 10 == 0
    )


def passes_mod97(iban: str) -> bool:
    """The check digits of an IBAN (ISO 13616)."""
    plain = iban.replace(" ", "")
    return (
        15 <= len(plain) <= 34
        and int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1
    )


def passes_national(found: str) -> bool:
    """The control letter of a Spanish DNI; the other ids have none."""
    plain = found.replace("-", "")
    if len(plain) == 9 and plain[:8].isdigit() and plain[8].isalpha():
        return "TRWAGMYFPDXBNJZSQVHLCKE"[int(plain[:8]) % 23] == plain[8]
    return True


def is_phone(found: str) -> bool:
    return 8 <= sum(sign.isdigit() for sign in found) <= 15


NUMBERS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("card number", CARD, passes_luhn),
    ("bank account", IBAN, passes_mod97),
    ("national id", NATIONAL, passes_national),
    ("phone number", PHONE, is_phone),
)

CHECK = Check("personal_data", "Personal data", (), PersonalData, order=110)
