// Virtual time, turns, cancels, callbacks, and what is left.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ms, started, value } from './driver.mjs';

// Every way to run things in this one testee, with what it makes of it.
const odd = () => started('odd_testee.mjs', 'odd');

test('a timer fires when the harness says so, and not before', async () => {
  const { testee, on } = await odd();
  const call = testee.call(on, 'sleep', { ms: 10 });
  assert.deepEqual(await testee.run(ms(5), call), { trial: 1, number: 2, events: [], deadline: ms(15) });
  assert.deepEqual((await testee.run(ms(15) - 1)).events, []);
  const fired = await testee.run(ms(15));
  assert.deepEqual(fired.events, [value(call.call, 15)]);
  assert.equal(fired.deadline, null);
  await testee.close();
});

test('the deadline is that of the earliest timer', async () => {
  const { testee, on } = await odd();
  const late = testee.call(on, 'sleep', { ms: 30 });
  const early = testee.call(on, 'sleep', { ms: 10 });
  const said = await testee.run(0, late, early);
  assert.equal(said.deadline, ms(10));
  assert.deepEqual(said.later, [ms(30)]);
  assert.deepEqual(await testee.run(ms(10)), {
    trial: 1,
    number: 3,
    events: [value(early.call, 10)],
    deadline: ms(30),
  });
  assert.deepEqual((await testee.run(ms(30))).events, [value(late.call, 30)]);
  await testee.close();
});

test('an hour passes at once', async () => {
  const { testee, on } = await odd();
  const began = Date.now();
  const call = testee.call(on, 'sleep', { ms: 3_600_000 });
  await testee.run(0, call);
  assert.deepEqual((await testee.run(ms(3_600_000))).events, [value(call.call, 3_600_000)]);
  assert.ok(Date.now() - began < 60_000);
  await testee.close();
});

test('all clocks show virtual time, in milliseconds', async () => {
  const { testee, on } = await odd();
  assert.deepEqual(await testee.now(0, on, 'clocks'), value(2, [0, 0, 0, 0]));
  assert.deepEqual(await testee.now(ms(1234) + 999_999, on, 'clocks'), value(3, [1234, 1234, 1234, 1234]));
  await testee.begin();
  const again = await testee.make('odd');
  assert.deepEqual(await testee.now(0, again, 'clocks'), value(2, [0, 0, 0, 0]), 'the next trial begins at 0');
  await testee.close();
});

test('every way to wait is virtual', async () => {
  const { testee, on } = await odd();
  const call = testee.call(on, 'every_way_to_wait', { ms: 20 });
  assert.equal((await testee.run(0, call)).deadline, ms(20));
  assert.deepEqual((await testee.run(ms(19))).events, []);
  const { events, deadline } = await testee.run(ms(20));
  const ways = ['AbortSignal', 'promisify', 'scheduler.wait', 'setInterval', 'setTimeout', 'timers/promises'];
  assert.deepEqual(events[0]?.outcome.value.sort(), ways);
  assert.equal(deadline, null);
  await testee.close();
});

test('a delay of 0 ends at its instant, however many follow each other', async () => {
  const { testee, on } = await odd();
  const call = testee.call(on, 'zero_delays', { count: 50 });
  assert.deepEqual(await testee.run(ms(3), call), { trial: 1, number: 2, events: [value(2, 50)], deadline: null });
  await testee.close();
});

test('an interval of 0 is one of 1 ms: its instant ends', async () => {
  const { testee, on } = await odd();
  assert.equal((await testee.run(0, testee.call(on, 'interval_of_zero'))).deadline, ms(1));
  await testee.run(ms(1));
  await testee.run(ms(2));
  assert.deepEqual((await testee.run(ms(3))).events, [value(2, 3)]);
  await testee.close();
});

test('an instant that never ends is a mistake, and no hang', async () => {
  const { testee, on } = await odd();
  const { error } = await testee.run(0, testee.call(on, 'never_an_end'));
  assert.match(error, /this instant does not end/);
  assert.equal(await testee.close(), 1);
});

test('within a task Node keeps its order: ticks, then microtasks, then the next timer', async () => {
  const { testee, on } = await odd();
  const { events } = await testee.run(0, testee.call(on, 'order'));
  assert.deepEqual(events, [value(2, ['timer', 'tick', 'promise', 'microtask', 'next timer'])]);
  await testee.close();
});

test('a time that goes back is a mistake', async () => {
  const { testee, on } = await odd();
  await testee.run(ms(5));
  assert.match((await testee.run(ms(4))).error, /the clock cannot go back/);
  await testee.close();
});

test('a late loop fires all that is due, list by list as Node does, at the time that it is by then', async () => {
  const { testee, on } = await odd();
  const first = testee.call(on, 'late', { name: 'first', ms: 10 });
  const other = testee.call(on, 'late', { name: 'of another length', ms: 12 });
  const same = testee.call(on, 'late', { name: 'of the same length', ms: 10 });
  await testee.run(0, first, other);
  await testee.run(ms(4), same);
  const { events, deadline } = await testee.run(ms(20));
  const fired = (id, name) => ({ done: id, outcome: { kind: 'value', value: `${name} at 20` } });
  const timers = [fired(first.call, 'first'), fired(same.call, 'of the same length'), fired(other.call, 'of another length')];
  assert.deepEqual(events.filter((event) => 'done' in event), timers);
  assert.deepEqual(events.filter((event) => 'tell' in event).map((event) => event.args.name), [
    'first', 'of the same length', 'of another length',
  ]);
  assert.ok(events.findIndex((event) => 'tell' in event) === timers.length, 'immediates come when all timers have fired');
  assert.equal(deadline, null);
  await testee.close();
});

test('an interval that a late loop has missed fires once, and goes on from then', async () => {
  const { testee, on } = await odd();
  await testee.run(0, testee.call(on, 'every', { ms: 10, times: 2 }));
  const { events, deadline } = await testee.run(ms(35));
  assert.deepEqual(events, []);
  assert.equal(deadline, ms(45));
  assert.deepEqual((await testee.run(ms(45))).events, [value(2, [35, 45])]);
  await testee.close();
});

test('commands at an instant come before timers that are due then', async () => {
  const { testee, on } = await odd();
  const call = testee.call(on, 'sleep', { ms: 10 });
  await testee.run(0, call);
  const { events, deadline } = await testee.run(ms(10), { cancel: call.call });
  assert.deepEqual(events, [{ done: call.call, outcome: { kind: 'cancelled' } }]);
  assert.equal(deadline, null);
  await testee.close();
});

test('without a run nothing runs, and all of it runs afterwards', async () => {
  const { testee, on } = await odd();
  const { events } = await testee.instant(0, false, testee.call(on, 'reject_nobody'));
  assert.deepEqual(events, [value(2)]);
  const { events: still } = await testee.instant(0, false, testee.call(on, 'tell'));
  assert.deepEqual(still, [{ tell: 'news', on, args: { good: true } }, value(3)]);
  assert.deepEqual((await testee.run(0)).events, [{ unhandled: { kind: 'error', label: 'dropped' } }]);
  await testee.close();
});

// ---- cancels

test('a cancel aborts the signal of its operation', async () => {
  const { testee, on } = await odd();
  const call = testee.call(on, 'sleep', { ms: 10 });
  await testee.run(0, call);
  const cancelled = await testee.run(ms(4), { cancel: call.call });
  assert.deepEqual(cancelled.events, [{ done: call.call, outcome: { kind: 'cancelled' } }]);
  assert.equal(cancelled.deadline, null, 'the timer is gone');
  assert.deepEqual((await testee.run(ms(5), { cancel: call.call }, { cancel: call.call })).events, []);
  assert.deepEqual(await testee.end(), []);
  await testee.close();
});

test('a cancel may come twice before its operation ends', async () => {
  const { testee, on } = await odd();
  const call = testee.call(on, 'sleep', { ms: 10 });
  const { events } = await testee.run(0, call, { cancel: call.call }, { cancel: call.call });
  assert.deepEqual(events, [{ done: call.call, outcome: { kind: 'cancelled' } }]);
  await testee.close();
});

test('a cancel is not done before its call, even if that has more turns to wait', async () => {
  const { testee, on } = await odd();
  const call = { ...testee.call(on, 'sleep', { ms: 10 }), after: 3 };
  const { events } = await testee.run(0, call, { cancel: call.call, after: 1 });
  assert.deepEqual(events, [{ done: call.call, outcome: { kind: 'cancelled' } }]);
  await testee.close();
});

// ---- turns

for (const method of ['microtasks', 'queued_microtasks']) {
  test(`a command after K turns comes between two turns of ${method}`, async () => {
    const { testee, on } = await odd();
    for (let after = 0; after <= 8; ++after) {
      const call = testee.call(on, method, { most: 6 });
      const { events } = await testee.run(0, call, { cancel: call.call, after });
      const seen = Math.min(6, after + 1);
      assert.deepEqual(events, [value(call.call, seen)], `after ${after}`);
    }
    await testee.close();
  });
}

test('turns go on from task to task', async () => {
  for (const method of ['tasks', 'ticks']) {
    const { testee, on } = await odd();
    const seen = [];
    for (let after = 0; after <= 12; ++after) {
      const call = testee.call(on, method, { most: 4 });
      const { events } = await testee.run(0, call, { cancel: call.call, after });
      seen.push(events[0].outcome.value);
    }
    assert.deepEqual([...seen].sort(), seen, `${method}: the later, the more is done (${seen})`);
    assert.deepEqual([...new Set(seen)], [1, 2, 3, 4], `${method}: every place between two tasks is reached`);
    await testee.close();
  }
});

test('commands that wait longer than anything runs are done all the same, in their order', async () => {
  const { testee, on } = await odd();
  const first = { ...testee.call(on, 'ask', { name: 'a' }), after: 50 };
  const second = { ...testee.call(on, 'ask', { name: 'b' }), after: 7 };
  const third = { ...testee.call(on, 'ask', { name: 'c' }), after: 50 };
  const { events } = await testee.run(0, first, second, third);
  assert.deepEqual(
    events.map((event) => event.name),
    ['b', 'a', 'c'],
  );
  await testee.close();
});

// ---- callbacks

test('a callback waits for its reply, and ends its operation', async () => {
  const { testee, on } = await odd();
  const call = testee.call(on, 'ask', { name: 'work' });
  assert.deepEqual((await testee.run(0, call)).events, [{ callback: 1, on, name: 'work', args: { asked: 1 } }]);
  assert.deepEqual((await testee.run(ms(1))).events, []);
  const { events } = await testee.run(ms(2), { reply: 1, outcome: { kind: 'value', value: 7 } });
  assert.deepEqual(events, [value(call.call, 7)]);
  await testee.close();
});

test('a callback is asked to stop when its signal is aborted, once, and its reply still counts', async () => {
  const { testee, on } = await odd();
  const call = testee.call(on, 'ask', { name: 'work' });
  await testee.run(0, call);
  assert.deepEqual((await testee.run(0, { cancel: call.call }, { cancel: call.call })).events, [{ cancel: 1 }]);
  assert.deepEqual((await testee.run(ms(3))).events, [], 'it waits for the reply');
  const { events } = await testee.run(ms(3), { reply: 1, outcome: { kind: 'error', label: 'too late' } });
  assert.deepEqual(events, [{ done: call.call, outcome: { kind: 'error', label: 'too late' } }]);
  await testee.close();
});

test('a callback whose signal is aborted at once is told so in order', async () => {
  const { testee, on } = await odd();
  for (const [i, method] of ['ask_and_stop', 'ask_stopped'].entries()) {
    const { events } = await testee.run(0, testee.call(on, method));
    assert.deepEqual(events, [{ callback: i + 1, on, name: 'slow', args: {} }, { cancel: i + 1 }], method);
  }
  await testee.close();
});

test('a callback that has its reply is not asked to stop', async () => {
  const { testee, on } = await odd();
  const call = testee.call(on, 'ask', { name: 'work' });
  await testee.run(0, call);
  const { events } = await testee.run(0, { reply: 1, outcome: { kind: 'cancelled' } }, { cancel: call.call });
  assert.deepEqual(events, [{ done: call.call, outcome: { kind: 'cancelled' } }]);
  await testee.close();
});

// ---- failures that reach nobody

test('what nobody handles is told once', async () => {
  const { testee, on } = await odd();
  const unhandled = (label) => ({ unhandled: { kind: 'error', label } });
  assert.deepEqual((await testee.run(0, testee.call(on, 'reject_nobody'))).events, [value(2), unhandled('dropped')]);
  await testee.run(0, testee.call(on, 'throw_in_timer'));
  assert.deepEqual((await testee.run(ms(5))).events, [unhandled('thrown in a timer')]);
  assert.deepEqual((await testee.run(ms(5), testee.call(on, 'tell_unhandled'))).events, [unhandled('told'), value(4)]);
  assert.deepEqual((await testee.run(ms(6), testee.call(on, 'reject_text'))).events, [value(5), unhandled('a text')]);
  assert.deepEqual((await testee.run(ms(7))).events, []);
  await testee.close();
});

test('what an earlier trial left is not told in a later one, not even its mistakes', async () => {
  const { testee, on } = await odd();
  await testee.run(0, testee.call(on, 'bug_when_stopped'));
  await testee.instant(0, false, { cancel: 2 });
  await testee.instant(0, false, testee.call(on, 'reject_nobody'));
  await testee.begin();
  assert.deepEqual((await testee.run(0)).events, []);
  await testee.close();
});

// ---- what is left

test('the end of a trial tells what is left: timers, operations, callbacks; not what is unref’d', async () => {
  const { testee, on } = await odd();
  await testee.run(
    ms(1),
    testee.call(on, 'leave_timers'),
    testee.call(on, 'sleep', { ms: 30 }),
    testee.call(on, 'ask', { name: 'work' }),
  );
  assert.deepEqual(await testee.end(), [
    'the operation 3, odd.sleep',
    'the operation 4, odd.ask',
    'the callback 1, work({"asked":1})',
    'a timer of 50 ms, set at 1 ms',
    'an interval of 70 ms, set at 1 ms',
    'a timer of 30 ms, set at 1 ms',
  ]);
  await testee.begin();
  assert.deepEqual(await testee.run(0), { trial: 2, number: 1, events: [], deadline: null });
  assert.deepEqual(await testee.end(), [], 'then it is thrown away');
  await testee.close();
});

test('what waits for something real is told, too', async () => {
  const { testee, on } = await odd();
  await testee.run(0, testee.call(on, 'leave_real'));
  assert.deepEqual(await testee.end(), ['a real FSEventWrap, which does not wait for virtual time']);
  await testee.close();
});
