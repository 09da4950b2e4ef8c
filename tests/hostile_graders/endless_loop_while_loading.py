# expect: time
"""Never returns from its first lines."""

while True:
    pass
