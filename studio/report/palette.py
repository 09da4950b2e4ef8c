"""The colours of a report, those of the studio's own charts (static/studio.css)."""

LIGHT = ("#4f46e5", "#0d9488", "#ea580c", "#be185d", "#2563eb", "#65a30d", "#9333ea", "#78716c")
DARK = ("#818cf8", "#2dd4bf", "#fb923c", "#f472b6", "#60a5fa", "#a3e635", "#c084fc", "#a8a29e")
DASHES = ((), (6.0, 3.0), (1.5, 2.5), (7.0, 3.0, 1.5, 3.0))  # of the first eight lines, the second, …


def rgb(place: int) -> tuple[int, int, int]:
    """On paper."""
    code = LIGHT[place % len(LIGHT)]
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def dash(place: int) -> tuple[float, ...]:
    return DASHES[place // len(LIGHT) % len(DASHES)]
