"""What the assignments in book/assignments need: tests that teach, and the grading of submissions.

checks, then one module an assignment (grades, etf, fusion, parsing, scoring, reviewer): the visible tests.
kernel, guard, wall: the process that a submission runs in. submissions, harmless, course: what is handed in, what is
shown of it, and its grading with nbgrader, see book/teaching.md.

Students have this package installed. So it holds properties that a right answer has and worked examples that the
assignment prints itself; reference answers and hidden tests are in the source notebooks alone.
"""
