"""The course's own errors: each message names the cause and the next step, and is shown to the reader as it is."""


class CourseError(Exception):
    """Something the reader can mend; the message says how."""


class DataError(CourseError):
    """A data set that cannot be had, or is not what the catalogue says."""


class ClaimError(CourseError, AssertionError):
    """A statement of a notebook that its own numbers do not bear out."""
