"""What Trio and anyio have in common: a cancellation that is repeated until it is heeded, and shields against it."""

from . import outcomes


async def call_back(trial, library, cancelled, object_id, name, args):
    """Trial.call_back on such a `library`, whose own exception for a cancellation is `cancelled`."""
    reply = None
    replied = library.Event()

    def take(outcome):
        nonlocal reply
        reply = outcome
        replied.set()

    number = trial.begin_callback(object_id, name, args, take)
    try:
        await replied.wait()
    except cancelled:
        # What is called has the last word: it may have ended already, and it may take its time.
        if reply is None:
            trial.ask_to_stop(number)
            with library.CancelScope(shield=True):
                await replied.wait()
        if reply["kind"] == "cancelled":
            raise
    if reply["kind"] == "cancelled":
        # It gave up by itself: the scope that it would have cancelled is its own.
        return None
    return outcomes.value(reply)
