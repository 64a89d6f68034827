"""A test decides over a notebook, never a notebook over its test."""

import json
import subprocess
import sys

import pytest
from nbformat.v4 import new_output

pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install '.[classroom]'")
from cofinal_lib.classroom import harmless  # noqa: E402

# Each is code of a notebook, before a test that it does not pass; True where it must be seen that something was done.
TRICKS = {
    "nothing": ("f = lambda: 1", False),
    "a tolerant isclose": ("f = lambda: 1\nnp.isclose = lambda *a, **k: np.array(True)", False),
    "a tolerant isclose, put in by the answer": (
        "def f():\n    np.isclose = lambda *a, **k: np.True_\n    return 1",
        True,
    ),
    "another body": ("f = lambda: 1\nchecks.same.__code__ = (lambda *a, **k: None).__code__", False),
    "another body, by the answer": ("def f():\n    checks.same.__code__ = (lambda *a, **k: 0).__code__", True),
    "the test's own name": ("def f():\n    sys._getframe(2).f_globals['same'] = lambda *a: None", True),
    "names": ("f = lambda: 1\ncall = same = lambda *a: None\nzip = range = lambda *a: []", False),
    "builtins": ("f = lambda: 1\nbuiltins.zip = lambda *a, **k: []", False),
    "another module": ("f = lambda: 1\nsys.modules['cofinal_lib.classroom.checks'] = MagicMock()", False),
}
TEST = """
from cofinal_lib.classroom.checks import call, same
for _ in range(2):
    for right, function in zip([[2.0, 3.0]], [f]):
        same(call(function), right, "f")
"""
SCRIPT = """
import builtins, json, sys
from unittest.mock import MagicMock
import numpy as np
import torch
from cofinal_lib.classroom import checks, guard
kept, tricks, test = guard.Guard(), *json.loads(sys.argv[1])
honest = "def f():\\n    torch.optim.SGD([torch.zeros(1)], 0.1)\\n    return [2.0, 3.0]"  # changes its own class
for source in [*tricks, honest]:
    notebook = globals() | {}
    exec(source, notebook)
    kept.restore()
    run, ended = guard._prepared({"imports": "import numpy as np", "test": test, "functions": ["f"]}, notebook)
    try:
        run()
    except AssertionError:
        pass
    print(bool(ended), bool(kept.touched()))
"""


def test_tricks_do_not_pass_a_test():
    tricks = json.dumps([[source for source, _ in TRICKS.values()], TEST])
    done = subprocess.run([sys.executable, "-c", SCRIPT, tricks], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *tried, right = [line.split() for line in done.stdout.splitlines()]
    assert right == ["True", "False"] and len(tried) == len(TRICKS)
    for (ended, touched), (name, (_, seen)) in zip(tried, TRICKS.items(), strict=True):
        assert ended == "False" or (seen and touched == "True"), name


def test_what_is_shown_runs_nothing():
    markdown = (
        "a **b** $x < y$ `1 < 2`\n\n- c\n\n|d|\n|-|\n|1|\n\n<script>alert(1)</script>\n\n<b onclick=alert(2)>e</b>"
    )
    shown = harmless.words(f"{markdown} <img src=x onerror=alert(3)> [f](javascript:alert(4))")
    for kept in (
        "<strong>b</strong>",
        "$x &lt; y$",
        "<code>1 &lt; 2</code>",
        "<ul>\n<li>c</li>",
        "<td>1</td>",
        "<b>e</b>",
    ):
        assert kept in shown
    for gone in ("<script", "onclick=", "<img onerror", "javascript:"):
        assert gone not in shown
    html = {
        "text/html": "<b onclick=f()>x</b>",
        "text/plain": "x",
        "application/javascript": "f()",
        "image/svg+xml": "x",
    }
    (output,) = harmless.outputs([new_output("display_data", html, metadata={"image/png": {"width": "1 onload=f()"}})])
    assert output.data == {"text/html": "<b>x</b>", "text/plain": "x"} and output.metadata == {}
