"""The one exception of the library: a message a reader can act on."""


class CofinalError(ValueError):
    """Something a reader can mend: says what is wrong, where, what was expected, what to do.

    The command line prints it as one line and exits with code 2.
    """
