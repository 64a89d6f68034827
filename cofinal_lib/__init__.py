"""The library behind the CoFInAl book. Read it in this order:

etf (Eq. 12-13), grading (Eq. 6), temporal_fusion (Eq. 7), grade_parsing (Eq. 8-11), fine_scoring (Eq. 14-15),
cofinal (Eq. 2-6), then data, metrics (Eq. 16), train and runs; rivals holds the other methods of Table 1.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "simplex_etf": "etf",
    "GradeScale": "grading",
    "CoFInAl": "cofinal",
    "CoFInAlConfig": "cofinal",
    "CofinalError": "errors",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    """Import late: `cofinal --help` must not wait for torch."""
    if name in _HOME:
        return getattr(import_module(f"cofinal_lib.{_HOME[name]}"), name)
    raise AttributeError(f"module 'cofinal_lib' has no attribute {name!r}")
