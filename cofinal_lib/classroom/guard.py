"""Tests that a notebook cannot talk round by accident or by an easy trick: run in a namespace of their own.

A notebook shares its process with the tests that grade it. So what was loaded when the kernel started is remembered,
brought back before each test, and looked at again after it: a replaced `numpy.isclose` decides nothing.
"""

import json
import sys
import uuid
from types import FunctionType, ModuleType

import torch
from ipykernel.ipkernel import IPythonKernel

MARK = "# a test, as JSON: "
DECIDING = ("builtins", "math", "numpy", "cofinal_lib")  # packages that tests compare with
KEPT = (*DECIDING, "torch", "importlib", "IPython", "ipykernel")


class Guard:
    """Remembers the functions and classes that tests run on, as they are now."""

    def __init__(self):
        self.modules = {name: module for name, module in sys.modules.items() if isinstance(module, ModuleType)}
        owners = [m for name, m in self.modules.items() if name.split(".")[0] in KEPT and name.count(".") < 3]
        classes = {id(c): c for m in owners for c in vars(m).values() if isinstance(c, type)}
        owners += [c for c in classes.values() if str(c.__module__).split(".")[0] in KEPT]
        self.named = [(owner, {n: v for n, v in vars(owner).items() if callable(v)}) for owner in owners]
        functions = {id(f): f for _, named in self.named for f in named.values() if isinstance(f, FunctionType)}
        self.bodies = [(f, f.__code__, f.__defaults__, f.__kwdefaults__) for f in functions.values()]

    def altered(self):
        """What is not as it was: (owner, name, value as it was), and functions with another body."""
        for owner, named in self.named:
            now = vars(owner)
            for name, value in named.items():
                if now.get(name) is not value:
                    yield owner, name, value
        for function, *body in self.bodies:
            if [function.__code__, function.__defaults__, function.__kwdefaults__] != body:
                yield function, "__code__", body

    def restore(self) -> None:
        """Bring everything back; what cannot be set is found again by `touched`."""
        sys.settrace(None)
        sys.modules.update(self.modules)
        for owner, name, value in list(self.altered()):
            try:
                if name == "__code__":
                    owner.__code__, owner.__defaults__, owner.__kwdefaults__ = value
                else:
                    setattr(owner, name, value)
            except (AttributeError, TypeError):
                continue

    def touched(self) -> str:
        """The first thing that decides over tests and is not as it was, or nothing."""
        for owner, name, _ in self.altered():
            module = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
            tensor = module == "torch" and isinstance(owner, type)  # its functions are wrapped when it is first used
            if tensor or module.split(".")[0] in DECIDING:
                return f"{owner.__name__}.{name}"
        return ""


def guarded(test: str, imports: str, functions: list[str]) -> str:
    """Code for a GuardedKernel: `test` behind `imports`, with the notebook's functions of these names and no more."""
    return MARK + json.dumps({"test": test, "imports": imports, "functions": functions})


class GuardedKernel(IPythonKernel):
    """An ipykernel that runs `guarded` code; its reply says "untouched" where that ran to its end, whole."""

    guard: Guard = None

    async def do_execute(self, code, silent, *args, **kwargs):
        """Execute a cell, or a test."""
        if not code.startswith(MARK):
            return await super().do_execute(code, silent, *args, **kwargs)
        self.get_parent("shell")["content"]["code"] = ""
        self.guard.restore()
        run, ended = _prepared(json.loads(code.removeprefix(MARK)), self.shell.user_ns)
        name = f"test_{uuid.uuid4().hex}"
        self.shell.user_ns[name] = run
        try:
            reply = await super().do_execute(f"{name}()", silent, *args, **kwargs)
        finally:
            self.shell.user_ns.pop(name, None)
        return reply | {"untouched": bool(ended) and not self.guard.touched()}


def _prepared(task: dict, notebook: dict):
    """A function that runs the test, and a list that is filled where it passed."""
    ended = []

    def run():
        names = {"__name__": "__main__"}
        exec(compile(task["imports"], "<imports>", "exec"), names)
        names |= {name: notebook[name] for name in task["functions"] if name in notebook}
        with torch.enable_grad():
            exec(compile(task["test"], "<test>", "exec"), names)
        checks = vars(sys.modules["cofinal_lib.classroom.checks"])
        ended.extend([True] * all(names[n] is value for n, value in checks.items() if n in names and callable(value)))

    return run, ended
