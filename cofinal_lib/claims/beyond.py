"""Claims that no calculation, file or run here can decide: the row says what it would take."""

from cofinal_lib.claims.verdicts import Finding, cannot


def us(printed, missing: str, why: str = "") -> Finding:
    """A claim whose check needs `missing`, which the book does not have and cannot make."""
    return cannot(missing, why, "the paper's text")
