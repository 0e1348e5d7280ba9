"""The outcomes of the protocol as exceptions. An adapter raises these in place of its library's own words."""


class Outcome(Exception):
    """What an operation ends with, other than a value."""

    kind = ""

    def __init__(self, label=""):
        super().__init__(label)
        self.label = label


class OperationError(Outcome):
    """An ordinary failure. A callback that fails raises it, with the label that it was told."""

    kind = "error"


class Closed(Outcome):
    kind = "closed"


class TimedOut(Outcome):
    kind = "timed_out"


class Rejected(Outcome):
    """Refused without an effect: full, too late, an impossible argument."""

    kind = "rejected"


class Broken(Outcome):
    """What it stood on is broken."""

    kind = "broken"


class Cancelled(Outcome):
    """For an operation that ends as cancelled without its library's own exception for it."""

    kind = "cancelled"


class Aggregate(Outcome):
    """Several failures: pairs of a task's name and its exception."""

    kind = "aggregate"

    def __init__(self, members):
        super().__init__()
        self.members = list(members)


def write(failure, value=None, cancelled=()):
    """The outcome of an exception (None: of a value). `cancelled` are the runtime's own classes for that."""
    if failure is None:
        return {"kind": "value"} if value is None else {"kind": "value", "value": value}
    if isinstance(failure, cancelled):
        return {"kind": "cancelled"}
    if isinstance(failure, SystemExit):
        return {"kind": "exit", "status": failure.code if isinstance(failure.code, int) else 1}
    if isinstance(failure, Aggregate):
        members = [{"task": task, "what": write(one, None, cancelled)} for task, one in failure.members]
        return {"kind": "aggregate", "members": members}
    if isinstance(failure, OperationError):
        return {"kind": "error", "label": failure.label}
    if isinstance(failure, Outcome):
        return {"kind": failure.kind, "label": failure.label} if failure.label else {"kind": failure.kind}
    if isinstance(failure, BaseExceptionGroup):  # that the adapter did not translate
        return {"kind": "aggregate", "members": [{"task": "", "what": write(one, None, cancelled)} for one in failure.exceptions]}
    # Anything else that the library raises, in its own words.
    return {"kind": "error", "label": f"{type(failure).__name__}: {failure}"}


def read(outcome):
    """The value of an outcome and the exception to raise: one of the two."""
    kind = outcome["kind"]
    if kind == "value":
        return outcome.get("value"), None
    if kind == "error":
        return None, OperationError(outcome["label"])
    if kind == "exit":
        return None, SystemExit(outcome["status"])
    if kind == "aggregate":
        return None, Aggregate((one["task"], read(one["what"])[1]) for one in outcome["members"])
    for known in (Closed, TimedOut, Rejected, Broken, Cancelled):
        if known.kind == kind:
            return None, known(outcome.get("label", ""))
    raise ValueError(f"an outcome of the unknown kind {kind!r}")


def value(outcome):
    """The value of an outcome; raises it if it is another."""
    got, failure = read(outcome)
    if failure is not None:
        raise failure
    return got
