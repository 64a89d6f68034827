"""Visible tests of assignment 6: being the reviewer. And the training log that it examines."""

from importlib.resources import files

import numpy as np
import torch

from cofinal_lib.classroom.checks import array, call, finite, holds, same, several, shaped


def training_log() -> str:
    """A log of 200 epochs, simulated by data_scripts/classroom_log.py; nobody's real training."""
    return files("cofinal_lib.classroom").joinpath("training.log").read_text()


def average_is_possible(function) -> None:
    """Equal cells average to themselves."""
    holds(call(function, np.array([0.5, 0.5]), 0.5) in (True, np.True_), "two equal cells can average to what they are")
    holds(
        call(function, np.array([0.5, 0.5]), 0.6) in (False, np.False_),
        "two equal cells cannot average to something far from them",
    )


def interval(function) -> None:
    """It holds the estimate, stays a correlation, and narrows as routines are added."""
    low, high = several(call(function, 0.8, 50, 0.95), 2, "interval")
    low, high = (finite(shaped(x, (), "an end of the interval"), "an end of the interval") for x in (low, high))
    holds(low < 0.8 < high, "the interval should hold the estimate itself, its lower end first")
    holds(-1 < low and high < 1, "a correlation cannot leave [-1, 1]: which scale is the interval made on?")
    holds(high - 0.8 < 0.8 - low, "near 1 there is less room above than below: which scale is the interval made on?")
    wide, narrow = (np.ptp([float(x) for x in call(function, 0.3, n, 0.95)]) for n in (20, 2000))
    holds(narrow < wide, "more routines should make the interval narrower")


def selections(function) -> None:
    """A log of three epochs."""
    log = "\n".join(
        f"epoch {e:03d} | lr 0.0100 | loss 0.{9 - e}000 | train SRCC 0.{e}00 | test SRCC {test:.3f}"
        for e, test in enumerate((0.1, 0.7, 0.4))
    )
    found = call(function, log)
    holds(isinstance(found, dict), f"selections should return a dict; this is {type(found).__name__}")
    for name in ("best", "best_epoch", "last", "tail"):
        holds(name in found, f"the dict has no entry {name!r}")
    same(found["best"], 0.7, "best", "The highest test SRCC of all epochs.")
    same(found["best_epoch"], 1, "best_epoch", "Epochs are counted from 0, as in the log.")
    same(found["last"], 0.4, "last", "The test SRCC of the last line.")


def repaired(function) -> None:
    """One prediction a routine; numbers, not a constant."""
    coarse, logits = torch.tensor([0.2, 0.4]), torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]])
    found = shaped(call(function, coarse, logits), (2,), "the predictions", "(B,)")
    same(
        found - array(coarse, "coarse"), [0.0002, 0.0002], "what the sub-grade adds", "Sub-grade 2 is 2 / 10 000.", 1e-5
    )
