"""What several of the libraries have in the same shape: an adapter derives from these and says what is its library's own."""

import contextlib
import math

from assay_testee import Aggregate, Broken, Closed, OperationError, Outcome, Rejected, TimedOut
from assay_testee.failures import chain, leaves


class Channel:
    """A pair of a sending and a receiving end, as Trio's memory channels and anyio's streams are; without the timed forms.

    `library` has WouldBlock and ClosedResourceError, `end` is what it raises at the end of a channel.
    """

    library = None
    end = None

    @staticmethod
    def open(capacity):
        """The two ends; raises ValueError for an impossible capacity."""
        raise NotImplementedError

    def __init__(self, env, config):
        try:
            self.sender, self.receiver = self.open(config["capacity"])
        except ValueError as failure:
            raise Rejected(str(failure)) from None

    async def push(self, item):
        try:
            await self.sender.send(item)
        except self.library.ClosedResourceError:
            raise Closed() from None

    async def pop(self):
        try:
            return await self.receiver.receive()
        except self.end:
            raise Closed() from None

    def size(self):
        return self.receiver.statistics().current_buffer_used

    def try_push(self, item):
        try:
            self.sender.send_nowait(item)
        except self.library.WouldBlock:
            return False
        except self.library.ClosedResourceError:
            raise Closed() from None
        return True

    def try_pop(self):
        try:
            return self.receiver.receive_nowait()
        except self.library.WouldBlock:
            return None
        except self.end:
            raise Closed() from None

    def close(self):
        self.sender.close()


class DroppingChannel(Channel):
    """The same ends as a channel that drops, without the timed form: who sends does not wait, and drops what does not fit, or
    what the other end has not taken yet."""

    def __init__(self, env, config):
        super().__init__(env, config)
        self.env = env
        self.policy = config["policy"]

    def send(self, item, key):
        if self.try_push(item):
            return "accepted"
        if self.policy == "reject":
            return "rejected"
        victim = self.try_pop() if self.policy == "oldest" else None
        if victim is None:
            return "dropped"
        self.sender.send_nowait(item)
        self.env.tell("dropped", item=victim)
        return "accepted"

    async def receive(self):
        return await self.pop()

    def try_receive(self):
        return self.try_pop()


class Flag:
    """An Event of asyncio, Trio or anyio, which have the same names; without the timed form."""

    library = None

    def __init__(self, env, config):
        if config["form"] == "auto_reset":
            raise Rejected("a wait resets nothing")
        self.event = self.library.Event()

    async def wait(self):
        await self.event.wait()

    def set(self):
        self.event.set()

    def is_set(self):
        return self.event.is_set()

    def waiting(self):
        return self.event.statistics().tasks_waiting


class Permits:
    """A Semaphore of asyncio, Trio or anyio, which have the same names; without the timed form."""

    library = None

    @staticmethod
    def make(limit):
        """The semaphore; raises ValueError for an impossible limit."""
        raise NotImplementedError

    def __init__(self, env, config):
        self.env = env
        try:
            self.semaphore = self.make(config["limit"])
        except ValueError as failure:
            raise Rejected(str(failure)) from None

    async def acquire(self, count):
        await self.semaphore.acquire()

    def release(self, count):
        try:
            self.semaphore.release()
        except ValueError as failure:
            raise Rejected(str(failure)) from None

    def try_acquire(self, count):
        try:
            self.semaphore.acquire_nowait()
        except self.library.WouldBlock:
            return False
        return True

    async def run(self, work):
        async with self.semaphore:
            await self.env.call("step", step=work)

    def available(self):
        return self.semaphore.value

    def waiting(self):
        return self.semaphore.statistics().tasks_waiting


class Tokens:
    """A CapacityLimiter of Trio or anyio; without the timed form. Who borrows without a name is an object of its own."""

    library = None

    def __init__(self, env, config):
        self.env = env
        self.unnamed = []
        try:
            self.limiter = self.library.CapacityLimiter(config["limit"])
        except ValueError as failure:
            raise Rejected(str(failure)) from None

    async def acquire(self, count):
        borrower = object()
        await self.limiter.acquire_on_behalf_of(borrower)
        self.unnamed.append(borrower)

    def release(self, count):
        self.give_back(self.unnamed.pop() if self.unnamed else object())

    def try_acquire(self, count):
        borrower = object()
        try:
            self.limiter.acquire_on_behalf_of_nowait(borrower)
        except self.library.WouldBlock:
            return False
        self.unnamed.append(borrower)
        return True

    async def acquire_as(self, borrower):
        try:
            await self.limiter.acquire_on_behalf_of(borrower)
        except RuntimeError as failure:
            raise Rejected(str(failure)) from None

    def release_as(self, borrower):
        self.give_back(borrower)

    def give_back(self, borrower):
        try:
            self.limiter.release_on_behalf_of(borrower)
        except RuntimeError as failure:
            raise Rejected(str(failure)) from None

    async def run(self, work):
        async with self.limiter:
            await self.env.call("step", step=work)

    def set_limit(self, limit):
        try:
            self.limiter.total_tokens = limit
        except ValueError as failure:
            raise Rejected(str(failure)) from None

    def available(self):
        # Below zero while a lowered limit has not been reached.
        return max(self.limiter.available_tokens, 0)

    def waiting(self):
        return self.limiter.statistics().tasks_waiting


class Exclusive:
    """A Lock of asyncio, Trio or anyio, which have the same names."""

    library = None

    def __init__(self, env, config):
        self.env = env
        self.lock_of_ours = self.library.Lock()

    async def acquire_within(self, patience):
        """Raises TimedOut."""
        raise NotImplementedError

    async def run(self, work):
        async with self.lock_of_ours:
            await self.env.call("step", step=work)

    async def run_for(self, patience, work):
        await self.acquire_within(patience)
        try:
            await self.env.call("step", step=work)
        finally:
            self.lock_of_ours.release()

    def is_locked(self):
        return self.lock_of_ours.locked()

    def waiting(self):
        return self.lock_of_ours.statistics().tasks_waiting


class Conditional:
    """A Condition of asyncio, Trio or anyio, which have the same names."""

    library = None

    def __init__(self, env, config):
        self.env = env
        self.condition = self.library.Condition()
        self.guarded = 0

    async def within(self, patience, operation):
        """Raises TimedOut."""
        raise NotImplementedError

    async def until(self, holds):
        while not holds():
            await self.condition.wait()
        return holds()

    async def finish(self, after):
        """Does what comes after a wait, where no cancellation reaches it."""
        if after is not None:
            with self.library.CancelScope(shield=True):
                await self.env.call("step", step=after)

    async def hold(self, work):
        async with self.condition:
            await self.env.call("step", step=work)

    async def wait(self, after=None):
        async with self.condition:
            try:
                await self.condition.wait()
            finally:
                await self.finish(after)

    async def wait_for(self, patience, after=None):
        async with self.condition:
            try:
                await self.within(patience, self.condition.wait)
            finally:
                await self.finish(after)

    async def wait_until(self, at_least, after=None):
        async with self.condition:
            try:
                return await self.until(lambda: self.guarded >= at_least and self.guarded)
            finally:
                await self.finish(after)

    async def notify(self, count, inside=None):
        async with self.condition:
            if count > 0:
                self.condition.notify(count)
            if inside is not None:
                await self.env.call("step", step=inside)

    async def notify_all(self):
        async with self.condition:
            self.condition.notify_all()

    async def change(self, number, count):
        async with self.condition:
            self.guarded = number
            if count > 0:
                self.condition.notify(count)

    def number(self):
        return self.guarded

    async def wait_without(self):
        try:
            await self.condition.wait()
        except RuntimeError as failure:
            raise Rejected(str(failure)) from None

    def notify_now(self, count):
        self.tell(lambda: self.condition.notify(count))

    def notify_all_now(self):
        self.tell(self.condition.notify_all)

    @staticmethod
    def tell(notify):
        try:
            notify()
        except RuntimeError as failure:
            raise Rejected(str(failure)) from None

    def is_locked(self):
        return self.condition.locked()

    def waiting(self):
        return self.condition.statistics().tasks_waiting


KINDS = {"closed": Closed, "broken": Broken, "timed_out": TimedOut}


class Group:
    """A group of tasks that is an asynchronous context manager."""

    def __init__(self, env, config):
        self.env = env
        self.group = None
        self.names = {}
        self.splits = False
        self.reports = {}

    def open(self):
        """The context manager."""
        raise NotImplementedError

    def begin(self, name, child):
        """Starts `self.child(child)`; raises RuntimeError if the group takes no more."""
        self.group.start_soon(self.child, child, name=name)

    async def run(self, children):
        await self._run(children, None)

    async def run_with_body(self, children, body):
        await self._run(children, body)

    async def _run(self, children, body):
        try:
            async with self.open() as self.group:
                for child in children:
                    self.spawn(child)
                if body is not None:
                    await self.child(body)
        except BaseException as failure:
            # One as it is, or several as a group, which may hold the cancellations, too.
            failures = [one for one in leaves(failure) if one in self.names]
            if not failures:
                raise
            raise Aggregate((self.names[one], one) for one in failures) from None

    def spawn(self, child):
        try:
            self.begin(child["name"], child)
        except RuntimeError:
            return False
        return True

    async def child(self, child):
        try:
            await self.env.call("child", id=child["id"])
        except Outcome as failure:
            if self.splits and isinstance(failure, Aggregate):
                raise self.inner(child["name"], failure) from None
            self.names[failure] = child["name"]
            raise

    # ---- split: an exception group is taken apart by classes, as `except*` does

    def inner(self, name, failure):
        """What a group inside of the child failed with, as that group would raise it here. Its message is the child's name, and
        goes with its parts."""
        for task, one in failure.members:
            self.names[one] = task
        return ExceptionGroup(name, [one for _, one in failure.members])

    async def run_split(self, children, kinds):
        self.splits = True
        left = None
        try:
            async with self.open() as self.group:
                for child in children:
                    self.spawn(child)
        except BaseExceptionGroup as failure:
            # Beside failures a cancellation shows at the next checkpoint; alone it is what the group ended with.
            left = failure.subgroup(Outcome)
            if left is None:
                raise
        for kind in kinds:
            taken, left = left.split(KINDS[kind]) if left is not None else (None, None)
            if taken is not None:
                self.env.tell("taken", kind=kind, what=self.env.outcome(self.named(taken)))
        if left is not None:
            raise self.named(left) from None

    def named(self, failure):
        if not isinstance(failure, BaseExceptionGroup):
            return failure
        return Aggregate(
            (one.message if isinstance(one, BaseExceptionGroup) else self.names[one], self.named(one))
            for one in failure.exceptions
        )


class StartingGroup(Group):
    """A nursery, as Trio has it: with `start`, and a cancel scope of its own."""

    async def start(self, child):
        try:
            await self.group.start(self.starting, child, name=child["name"])
        except RuntimeError as failure:
            raise Rejected(str(failure)) from None

    async def starting(self, child, *, task_status):
        self.reports[child["id"]] = task_status
        await self.child(child)

    def ready(self, id):
        try:
            self.reports[id].started()
        except RuntimeError:
            return False
        return True

    def cancel(self):
        self.group.cancel_scope.cancel()


def told(last, names):
    """What a stack's last exception says: the failures that led to it, with these names; else itself."""
    # A cancellation that came meanwhile has the failures as its context: they are told before it.
    failures = chain(last, OperationError)
    if not failures:
        return last
    if len(failures) == 1:
        return failures[0]
    return Aggregate((names[one], one) for one in failures)


class ExitStack:
    """contextlib.AsyncExitStack, whatever it runs on."""

    def __init__(self, env, config):
        self.env = env
        self.resources = []
        self.names = {}

    def add(self, name, start, stop):
        self.resources.append((name, start, stop))

    async def run(self, body):
        try:
            async with contextlib.AsyncExitStack() as stack:
                for name, start, stop in self.resources:
                    await self.step(name, start)
                    stack.push_async_callback(self.stop, name, stop)
                await self.step("body", body)
        except BaseException as last:
            raise told(last, self.names) from None

    async def stop(self, name, number):
        await self.step(name, number)

    async def step(self, name, number):
        try:
            await self.env.call("step", step=number)
        except OperationError as failure:
            self.names[failure] = name
            raise


class Scopes:
    """fail_after, move_on_after and CancelScope of Trio or anyio, which have the same names; neither takes a negative delay."""

    library = None
    too_late = None

    def __init__(self, env, config):
        self.env = env
        self.deadline = math.inf
        self.scope = self.shield = None
        self.stopped = False

    @staticmethod
    def delay(limit):
        return math.inf if limit is None else max(limit / 1e9, 0)

    def instant(self, limit):
        return self.library.current_time() + self.delay(limit)

    async def step(self, work):
        await self.env.call("step", step=work)

    async def run_for(self, limit, work):
        try:
            with self.library.fail_after(self.delay(limit)):
                await self.step(work)
        except self.too_late:
            raise TimedOut() from None

    async def run_for_or(self, limit, work):
        with self.library.move_on_after(self.delay(limit)):
            await self.step(work)
            return True
        return False

    def set_deadline(self, limit):
        self.deadline = self.instant(limit)

    async def run_by_deadline(self, work):
        with self.library.CancelScope(deadline=self.deadline):
            return await self.step(work)
        raise TimedOut()

    async def run_nested(self, outer, inner, work):
        with self.library.move_on_after(self.delay(outer)):
            with self.library.move_on_after(self.delay(inner)):
                await self.step(work)
                return True
            return False
        raise TimedOut()

    def open_scope(self, limit):
        self.scope = self.library.CancelScope(deadline=self.instant(limit))
        self.stopped = False

    async def run_scope(self, work):
        try:
            entered = self.scope.__enter__()
        except RuntimeError as failure:
            raise Rejected(str(failure)) from None
        with contextlib.ExitStack() as stack:
            stack.push(entered.__exit__)
            await self.step(work)
            return True
        if self.stopped:
            return False
        raise TimedOut()

    def stop_scope(self):
        self.stopped = True
        self.scope.cancel()

    def reschedule(self, limit):
        if self.scope.cancel_called:
            return False
        self.scope.deadline = self.instant(limit)
        return True

    async def run_shielded(self, limit, work):
        self.shield = self.library.CancelScope(shield=True, deadline=self.instant(limit))
        with self.shield:
            return await self.step(work)
        raise TimedOut()

    def lift_shield(self):
        self.shield.shield = False


class Registered:
    """A resource of `cleanup` as an asynchronous context manager: flushed on every path, and closed in spite of that."""

    def __init__(self, scope, name, acquire, flush, close):
        self.scope = scope
        self.name = name
        self.numbers = acquire, flush, close

    async def __aenter__(self):
        await self.scope.step(self.name, self.numbers[0])

    async def __aexit__(self, *how):
        await self.scope.clean(self.flush_and_close)

    async def flush_and_close(self):
        try:
            await self.scope.step(self.name, self.numbers[1])
        finally:
            await self.scope.step(self.name, self.numbers[2])


class CleanupStack:
    """contextlib.AsyncExitStack as a scope that acquires; `clean` says how what suspends is shielded."""

    def __init__(self, env, config):
        self.env = env
        self.stack = contextlib.AsyncExitStack()
        self.names = {}

    async def run(self, body):
        try:
            async with self.stack:
                await self.step("body", body)
        except BaseException as last:
            raise told(last, self.names) from None

    async def acquire(self, name, acquire, flush, force, close=None):
        resource = object() if close is None else Registered(self, name, acquire, flush, close)
        try:
            await self.stack.enter_async_context(resource)
        except TypeError as refusal:  # "'object' object does not support the asynchronous context manager protocol"
            raise Rejected(str(refusal)) from None

    async def close(self):
        try:
            await self.stack.aclose()
        except BaseException as last:
            raise told(last, self.names) from None

    def handle(self, name, swallows, handler):
        def asked(kind, failure, traceback):
            so_far = None if failure is None else told(failure, self.names)
            self.env.tell("handled", handler=handler, so_far=self.env.outcome(so_far))
            return swallows and isinstance(failure, Exception) and isinstance(so_far, (OperationError, Aggregate))

        self.stack.push(asked)

    async def clean(self, flush_and_close):
        await flush_and_close()

    async def step(self, name, number):
        try:
            await self.env.call("step", step=number)
        except OperationError as failure:
            self.names[failure] = name
            raise


class ShieldedCleanupStack(CleanupStack):
    """Each flush and close in a shielded scope of Trio or anyio."""

    library = None

    async def clean(self, flush_and_close):
        with self.library.CancelScope(shield=True):
            await flush_and_close()


class Operations:
    """What `gather` runs: an operation's value is told before it ends."""

    def __init__(self, env, config):
        self.env = env
        self.values = {}

    async def operation(self, one):
        await self.env.call("operation", id=one["id"])
        return self.values.pop(one["id"])

    def gave(self, id, value):
        self.values[id] = value

    @staticmethod
    def value(given):
        return {"how": "value", "value": given, "cause": ""}

    @staticmethod
    def failed(failure):
        return {"how": "failed", "value": None, "cause": failure.label}

    cancelled = {"how": "cancelled", "value": None, "cause": ""}

    async def slot(self, one):
        """Catches what is no cancellation: that goes on."""
        try:
            return self.value(await self.operation(one))
        except OperationError as failure:
            return self.failed(failure)


class OutcomesOfNursery(Operations):
    """A nursery of Trio or a task group of anyio, whose children keep their failures to themselves."""

    library = None

    def open(self):
        """The nursery."""
        raise NotImplementedError

    async def all(self, operations):
        slots = [None] * len(operations)

        async def fill(index, one):
            slots[index] = await self.slot(one)

        async with self.open() as nursery:
            for index, one in enumerate(operations):
                nursery.start_soon(fill, index, one)
        return slots

    async def each(self, operations, patience):
        async def tell(index, one):
            slot = await self.slot(one)
            if not scope.cancel_called:
                self.env.tell("ended", index=index, slot=slot)

        left = math.inf if patience is None else max(patience / 1e9, 0)
        with self.library.move_on_after(left) as scope:
            async with self.open() as nursery:
                for index, one in enumerate(operations):
                    nursery.start_soon(tell, index, one)
        if scope.cancel_called:
            raise TimedOut()
