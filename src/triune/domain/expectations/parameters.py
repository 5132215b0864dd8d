"""Puts values in the place of ``$PARAMETER``: names of the suite, and sums with dates."""

import ast
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from triune.domain.canonical import Json

_KEY: Final = "$PARAMETER"


class ParameterError(ValueError):
    """A parameter has no value, or says what is not understood."""


def resolve(kwargs: Mapping[str, Json], parameters: Mapping[str, Json], *, now: datetime) -> Json:
    """Put values in the place of parameters, wherever in the arguments they are.

    Raises
    ------
    ParameterError
        One has no value.
    """
    return {name: _resolve(value, parameters, now) for name, value in kwargs.items()}


def _resolve(value: Json, parameters: Mapping[str, Json], now: datetime) -> Json:
    if isinstance(value, Mapping):
        if _KEY in value:
            return _value(value, parameters, now)
        return {key: _resolve(held, parameters, now) for key, held in value.items()}
    if isinstance(value, list):
        return [_resolve(held, parameters, now) for held in value]
    return value


def _value(reference: Mapping[str, Json], parameters: Mapping[str, Json], now: datetime) -> Json:
    expression = reference[_KEY]
    if not isinstance(expression, str):
        raise ParameterError(f"{_KEY} {expression!r} is no text; name a parameter of the suite")
    # The value that an expectation was last evaluated with, kept beside the name.
    if (kept := f"{_KEY}.{expression}") in reference:
        return reference[kept]
    if expression in parameters:
        return parameters[expression]
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise _unknown(expression, parameters) from None
    try:
        return _calculate(tree, parameters, now)
    except ParameterError:
        raise
    except (TypeError, ArithmeticError) as error:
        raise ParameterError(
            f"{_KEY} {expression!r} cannot be calculated: {error}; write the value instead"
        ) from error


def _calculate(tree: ast.expr, parameters: Mapping[str, Json], now: datetime) -> Any:
    match tree:
        case ast.Constant(value=int() | float() | str() as value):
            return value
        case ast.Name(id=name) if name in parameters:
            return parameters[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_calculate(operand, parameters, now)
        case ast.BinOp(left=left, op=operator, right=right):
            return _apply(
                operator, _calculate(left, parameters, now), _calculate(right, parameters, now)
            )
        case ast.Call(func=ast.Name(id="now"), args=[], keywords=[]):
            return now
        case ast.Call(func=ast.Name(id="timedelta"), args=[], keywords=keywords):
            return timedelta(
                **{
                    keyword.arg: _calculate(keyword.value, parameters, now)
                    for keyword in keywords
                    if keyword.arg
                }
            )
        case _:
            raise _unknown(ast.unparse(tree), parameters)


def _apply(operator: ast.operator, left: Any, right: Any) -> Any:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case _:
            raise ParameterError("parameters can be added, subtracted, multiplied and divided")


def _unknown(expression: str, parameters: Mapping[str, Json]) -> ParameterError:
    known = ", ".join(sorted(parameters)) or "none"
    return ParameterError(
        f"{_KEY} {expression!r} has no value (the suite's parameters: {known}); give it one among "
        "the suite's parameters, or write the value instead"
    )
