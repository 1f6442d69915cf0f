"""The one error of reading a file."""


class ReadError(Exception):
    """A file that cannot be read; `str()` of it is a sentence for the person who uploaded it."""
