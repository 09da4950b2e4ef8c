# expect: error
"""Returns a score that is still to be awaited."""

import warnings

warnings.simplefilter("ignore")


async def grade(sample, item):
    return 1.0
