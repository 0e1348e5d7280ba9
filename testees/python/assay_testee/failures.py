"""Failures as Python keeps them."""


def chain(last, kind):
    """The failures of this kind that led to `last`, the first one first: a `finally` that fails keeps what it interrupted as its
    context."""
    found = []
    while last is not None:
        if isinstance(last, kind) and last not in found:
            found.append(last)
        last = last.__context__
    return found[::-1]


def leaves(failure):
    """The failures in a group and in the groups in it, in order; of one that is no group, itself."""
    if not hasattr(failure, "exceptions"):
        return [failure]
    return [leaf for one in failure.exceptions for leaf in leaves(one)]
