# expect: score 0
"""Reaches os.system without an import statement."""


def grade(sample, item):
    system = [].__class__.__base__.__subclasses__()[0].__class__.__base__ and __import__("os").system
    return float(system("id > /tmp/owned") == 0)
