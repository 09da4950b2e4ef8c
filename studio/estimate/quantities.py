"""Amounts of memory, as people say them. 1 GB is 1,024³ bytes, as on a GPU's box."""

KILO, MEGA, GIGA = 1024, 1024**2, 1024**3


def said(amount: float) -> str:
    """`12.3 GB`, `340 MB`."""
    if amount >= 100 * GIGA:
        return f"{amount / GIGA:,.0f} GB"
    if amount >= GIGA:
        return f"{amount / GIGA:.1f} GB"
    return f"{amount / MEGA:.0f} MB" if amount >= MEGA else f"{amount / KILO:.0f} KB"
