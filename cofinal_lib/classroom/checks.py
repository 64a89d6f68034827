"""What every test of an assignment is made of. A message says which property is missing, never the right value."""

import inspect

import numpy as np
import torch


class Wrong(AssertionError):
    """A test that did not pass."""


def call(function, *args):
    """Call a student's function, and insist that it leaves its arguments as they were."""
    before = [_copy(a) for a in args]
    result = function(*args)
    names = [*inspect.signature(function).parameters, *("an argument",) * len(args)]
    for name, old, new in zip(names, before, args, strict=False):
        if isinstance(old, np.ndarray) and not np.array_equal(old, _copy(new), equal_nan=old.dtype.kind == "f"):
            raise Wrong(f"{function.__name__} changed its argument {name}; work on a copy instead")
    return result


def several(result, n: int, what: str) -> tuple:
    """The n values that a function returned."""
    if not isinstance(result, (tuple, list)) or len(result) != n:
        raise Wrong(f"{what}: {n} values were asked for, as in `return a, b`; this is {type(result).__name__}")
    return tuple(result)


def array(value, what: str) -> np.ndarray:
    """Numbers of any kind (list, array, tensor) as float64."""
    try:
        numbers = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError) as error:
        raise Wrong(f"{what} cannot be read as numbers ({error})") from None
    if numbers.dtype.kind not in "biuf":
        raise Wrong(f"{what} should be numbers; this is {type(value).__name__}. Does the function return something?")
    return numbers.astype(np.float64)


def shaped(value, shape: tuple, what: str, axes: str = "") -> np.ndarray:
    """Numbers of a certain shape; `axes` names it, such as "(B, P, D)"."""
    numbers = array(value, what)
    if numbers.shape != shape:
        wanted = f"{axes} = {shape}" if axes else f"{shape}"
        raise Wrong(f"{what}: the shape is {numbers.shape}, {wanted} was asked for")
    return numbers


def finite(value, what: str, hint: str = "") -> np.ndarray:
    """Numbers without NaN and infinity."""
    numbers = array(value, what)
    if not np.isfinite(numbers).all():
        raise Wrong(f"{what}: not finite{_at(~np.isfinite(numbers))}. {hint}".strip())
    return numbers


def whole(value, low: int, high: int, what: str) -> np.ndarray:
    """Whole numbers from low to high."""
    numbers = finite(value, what)
    if (numbers != np.round(numbers)).any():
        raise Wrong(f"{what}: whole numbers were asked for; this is none{_at(numbers != np.round(numbers))}")
    outside = (numbers < low) | (numbers > high)
    if outside.any():
        raise Wrong(f"{what}: outside the range from {low} to {high}{_at(outside)}")
    return numbers


def same(found, expected, what: str, hint: str = "", tolerance: float = 1e-4) -> None:
    """Equality up to rounding; tells where it fails, not what was expected."""
    expected = array(expected, what)
    numbers = shaped(found, expected.shape, what)
    wrong = ~np.isclose(numbers, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if wrong.any():
        raise Wrong(f"{what}: not right{_at(wrong)}. {hint}".strip())


def holds(condition, message: str) -> None:
    """Anything else that must be true."""
    if not bool(condition):
        raise Wrong(message)


def _copy(value):
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy().copy()
    return value.copy() if isinstance(value, np.ndarray) else value


def _at(wrong: np.ndarray) -> str:
    """Where, for a person: the first position, and how many there are."""
    if wrong.ndim == 0:
        return ""
    first = ", ".join(str(i) for i in np.argwhere(wrong)[0])
    return f" at position [{first}] ({int(wrong.sum())} of {wrong.size} positions)"
