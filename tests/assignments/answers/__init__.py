"""Other right solutions and wrong ones ("mutants") of every exercise.

ANSWERS[exercise]["right" or "wrong"][name] is a function body, or pairs (old, new) to replace in the reference.
"""
