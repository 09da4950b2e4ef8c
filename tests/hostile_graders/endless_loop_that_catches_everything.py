# expect: time
"""Never returns, whatever is raised in it."""


def grade(sample, item):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
