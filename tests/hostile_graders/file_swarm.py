# expect: error
"""Makes empty files without end; each costs the kernel memory."""


def grade(sample, item):
    number = 0
    while True:
        open(f"/tmp/{number}", "w").close()
        number += 1
