"""`python -m cofinal_lib.classroom release|grade [course folder]`: what `make assignments` and `make grade` call."""

import sys
import warnings
from pathlib import Path

from cofinal_lib.errors import CofinalError


def main(arguments: list[str]) -> int:
    """Exit code: 0; 2 with one line on what to do; 130 where Ctrl-C stopped it."""
    if not arguments or arguments[0] not in ("release", "grade") or len(arguments) > 2:
        print("usage: python -m cofinal_lib.classroom release|grade [course folder]", file=sys.stderr)
        return 2
    warnings.simplefilter("ignore")  # nbformat's and others', of which a teacher can mend none
    course = Path(arguments[1] if len(arguments) == 2 else "book/assignments")
    try:
        try:
            from cofinal_lib.classroom import course as nbgrader
        except ModuleNotFoundError as error:
            raise CofinalError(f"no {error.name} here: pip install 'cofinal-book[classroom]' brings it") from None
        if not (course / "nbgrader_config.py").is_file():
            raise CofinalError(f"{course} is no course: it has no nbgrader_config.py; run this in the repository")
        if arguments[0] == "release":
            print(f"{course}/release: {', '.join(nbgrader.release(course))}")
        elif not (course / "release").is_dir():
            raise CofinalError(f"{course} has released nothing yet: run make assignments first")
        else:
            lines = nbgrader.grade(course)
            print(f"{len(lines)} submissions, {course}/grades.csv and {course}/feedback/")
    except CofinalError as error:
        print(f"classroom: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "classroom: stopped; what was graded is kept, and the same command goes on with the rest", file=sys.stderr
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
