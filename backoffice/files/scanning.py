"""The hook of a virus scanner: every file of a stranger passes it before anybody reads it.

`BACKOFFICE_SCANNER` is the dotted path of a Scanner; empty for none. A scanner that cannot answer
lets nothing through.
"""

from abc import ABC, abstractmethod
from typing import BinaryIO

from django.conf import settings
from django.utils.module_loading import import_string


class ScannerError(Exception):
    """The scanner did not say what it thinks of the file."""


class Scanner(ABC):
    """Made without arguments, once a file; it reads its own settings.

    `__init__` raises ImproperlyConfigured when one of them is wrong.
    """

    @abstractmethod
    def scan(self, file: BinaryIO) -> str:
        """Return the name of what was found in the file, "" for nothing. Raises ScannerError."""


def configured() -> Scanner | None:
    """Return the scanner of the settings; None where there is none.

    Raises ImportError, TypeError, ImproperlyConfigured for settings that cannot work.
    """
    path = str(getattr(settings, "BACKOFFICE_SCANNER", ""))
    if not path:
        return None
    made = import_string(path)()
    if not isinstance(made, Scanner):
        raise TypeError(f"BACKOFFICE_SCANNER: {path} is no Scanner")
    return made


def scan(file: BinaryIO) -> str:
    """Return the name of what was found, "" for nothing; the file stands at its start again.

    Raises ScannerError, also for a scanner that fails in a way of its own.
    """
    try:
        scanner = configured()
        if scanner is None:
            return ""
        file.seek(0)
        return scanner.scan(file)
    except ScannerError:
        raise
    except Exception as error:
        raise ScannerError from error
    finally:
        file.seek(0)
