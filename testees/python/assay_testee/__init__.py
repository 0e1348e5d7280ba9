"""Hosts Python implementations of Assay's contracts behind the testee protocol (harness/testee/PROTOCOL.md).

An adapter is a class for each subject, with the contract's methods by their names; `async def` for operations, `def` for
what is immediate. See testees/python/README.md.
"""

from .host import Env, Host, subject
from .outcomes import Aggregate, Broken, Cancelled, Closed, OperationError, Outcome, Rejected, TimedOut

__all__ = [
    "Aggregate",
    "Broken",
    "Cancelled",
    "Closed",
    "Env",
    "Host",
    "OperationError",
    "Outcome",
    "Rejected",
    "TimedOut",
    "subject",
]
