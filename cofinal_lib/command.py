"""How `cofinal` and every script ends: what a reader can mend is one line on stderr and exit code 2."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import typer

from cofinal_lib.errors import CofinalError


def run(command: typer.Typer | Callable[..., None], name: str | None = None) -> NoReturn:
    """Run a command line on the process's arguments, and exit.

    Args:
        command: an app, or a script's function: its parameters are the arguments, its module's docstring is the help.
        name: what complaints begin with, by default the script's.
    """
    name = name or Path(sys.argv[0]).name
    if not isinstance(command, typer.Typer):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(help=command.__globals__["__doc__"])(command)
        command = app
    try:
        code = command(prog_name=name, standalone_mode=False)
    except CofinalError as error:
        code = _complain(name, str(error))
    except typer.Abort:  # Ctrl-C, as older Typers tell it; newer ones return 130 themselves
        code = 130
    except ImportError as error:
        if "cofinal_lib" in str(error):
            raise  # a fault of ours
        code = _complain(name, f"{error}; cofinal doctor says what is missing")
    except OSError as error:
        code = _complain(name, f"{error.filename or 'file system'}: {error.strerror or error}")
    except Exception as error:
        if not hasattr(error, "format_message"):  # not the parser's word on an option, but a fault of ours
            raise
        message = error.format_message()  # empty where the help was shown instead
        asked = getattr(getattr(error, "ctx", None), "command_path", name)  # "cofinal train", "cofinal data check"
        code = _complain(name, f"{message.rstrip('.')}; see {asked} --help") if message else 2
    sys.exit(code)


def _complain(name: str, message: str) -> int:
    print(f"{name}: " + " ".join(message.split()), file=sys.stderr)
    return 2
