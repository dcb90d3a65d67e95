"""What goes wrong with data, as two kinds of error."""

from __future__ import annotations


class DataError(ValueError):
    """A data set, or what was asked of one, is wrong: a name, a folder, a file, a size.

    The message names the argument or the file, the value received and the remedy.
    """


class DataUnavailableError(DataError):
    """A known data set is neither prepared on this machine nor can be downloaded now.

    The one error after which `load_or_stand_in` goes on with the embedded digits.

    Attributes:
        natural_size: `(height, width)` of the missing images, or None where it is not known.
    """

    def __init__(self, message: str, natural_size: tuple[int, int] | None = None):
        """Keep the message and the size that a stand-in should have.

        Args:
            message: what is missing, where it was looked for, and the remedies.
            natural_size: `(height, width)` of the missing images, or None.
        """
        super().__init__(message)
        self.natural_size = natural_size
