# expect: error or memory or ended or time
"""Is Python that is nested too deep to be read."""

exec("-" * 500_000 + "1")
