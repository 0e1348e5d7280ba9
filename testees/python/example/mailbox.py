"""A library that is to be tested: a small queue on asyncio. It hands items to whoever waits, and has a mistake."""

import asyncio
import collections


class MailboxClosed(Exception):
    pass


class Mailbox:
    """Holds `size` messages at most. `send` waits for room, `receive` for a message; after `close` what is there can still be
    received."""

    def __init__(self, size):
        self._size = size
        self._messages = collections.deque()
        self._senders = collections.deque()
        self._receivers = collections.deque()
        self._closed = False

    def __len__(self):
        return len(self._messages)

    async def send(self, message):
        while not self._closed and len(self._messages) >= self._size and not self._receivers:
            await self._wait_in(self._senders)
        if self._closed:
            raise MailboxClosed()
        while self._receivers:
            receiver = self._receivers.popleft()
            if not receiver.done():
                receiver.set_result(message)
                return
        self._messages.append(message)

    async def receive(self):
        if not self._messages:
            if self._closed:
                raise MailboxClosed()
            return await self._wait_in(self._receivers)
        self._wake(self._senders)
        return self._messages.popleft()

    def close(self):
        self._closed = True
        while self._senders:
            self._wake(self._senders)
        while self._receivers:
            receiver = self._receivers.popleft()
            if not receiver.done():
                receiver.set_exception(MailboxClosed())

    @staticmethod
    def _wake(waiters):
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _wait_in(self, waiters):
        waiter = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        return await waiter
