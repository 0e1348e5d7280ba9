#!/usr/bin/env python3
"""The testee `mailbox`: mailbox.py behind Assay's contract of bounded queues."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))  # where assay_testee is

from assay_testee import Closed, Host, Rejected, subject
from assay_testee.asyncio_trial import AsyncioTrial
from mailbox import Mailbox, MailboxClosed


@subject(
    "Mailbox",
    contract="bounded_queue",
    features=["close"],
    cites="mailbox.py: holds size messages at most; send waits for room, receive for a message; after close what is there can "
    "still be received",
)
class MailboxSubject:
    def __init__(self, env, config):
        if config["capacity"] < 1:
            raise Rejected("a mailbox holds one message at least")
        self.mailbox = Mailbox(config["capacity"])

    async def push(self, item):
        try:
            await self.mailbox.send(item)
        except MailboxClosed:
            raise Closed() from None

    async def pop(self):
        try:
            return await self.mailbox.receive()
        except MailboxClosed:
            raise Closed() from None

    def size(self):
        return len(self.mailbox)

    def close(self):
        self.mailbox.close()


if __name__ == "__main__":
    Host("mailbox", AsyncioTrial).serve()
