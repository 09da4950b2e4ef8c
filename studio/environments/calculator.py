"""Arithmetic, for models that reason with numbers and should not guess the result."""

from studio.environments.base import Environment, Tool

ENVIRONMENT = Environment(
    name="calculator",
    title="Calculator",
    help="Works out arithmetic: numbers, + - * / ^, parentheses and functions such as sqrt. Runs no code.",
    factory="worker.environments.calculator:Calculator",
    tools=(Tool("calculate", "Works out an expression, such as (17 + 4) * 3."),),
    order=10,
)
