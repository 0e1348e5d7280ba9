// The adapters say what their libraries do; the scenarios judge it. Here: that nothing is lost in translation.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { abortable } from '../lib/abortable.mjs';
import { ms, started, value } from './driver.mjs';

const pool = (subject, config = {}) =>
  started('../../node_testee.mjs', subject, { workers: 1, queue_capacity: 64, started: true, ...config });
const submit = (testee, on, job, priority = 0) => testee.call(on, 'submit', { job, priority, timeout_ns: 0 });
const reply = (callback, outcome = { kind: 'value' }) => ({ reply: callback, outcome });
const failed = (label) => ({ kind: 'error', label });
const asked = (events) => events.filter((event) => event.name === 'run').map((event) => event.args.job);
const ended = (events, call) => events.find((event) => event.done === call.call)?.outcome.kind;

test('nodeguy_channel: a patience may be none at all, longer than a timer, or without limit', async () => {
  const days = (count) => count * 24 * 3_600 * 1e9;
  const { testee, on } = await started('../../node_testee.mjs', 'nodeguy_channel', { capacity: 1 });
  const pop = (patience) => testee.call(on, 'pop_for', { patience });
  for (const patience of [-(2 ** 53 - 1), -1, 0]) {
    const passed = pop(patience);
    assert.equal(ended((await testee.run(0, passed)).events, passed), 'timed_out', `${patience} ns`);
  }
  const unlimited = pop(null);
  assert.deepEqual(await testee.run(0, unlimited), { trial: 1, number: 5, events: [], deadline: null });
  const long = pop(days(60));
  let said = await testee.run(0, long);
  while (said.deadline !== null) {
    const due = said.deadline;
    said = await testee.run(due);
    assert.equal(ended(said.events, long), due === days(60) ? 'timed_out' : undefined, `at ${due} ns`);
  }
  assert.equal(ended((await testee.run(days(60), { cancel: unlimited.call })).events, unlimited), 'cancelled');
  await testee.close();
});

const all = ['p_queue', 'p_queue_backpressure', 'p_limit', 'bottleneck', 'fastq'];
const with_handles = ['p_queue', 'p_queue_backpressure', 'p_limit', 'bottleneck'];

for (const subject of all) {
  test(`${subject}: jobs run one after the other; a drain ends after the last and refuses others`, async () => {
    const { testee, on } = await pool(subject);
    const submits = [1, 2, 3].map((job) => submit(testee, on, job));
    const first = await testee.run(0, ...submits);
    for (const call of submits) assert.equal(ended(first.events, call), 'value');
    assert.deepEqual(asked(first.events), [1]);
    const drain = testee.call(on, 'drain');
    assert.equal(ended((await testee.run(0, drain)).events, drain), undefined);
    const late = submit(testee, on, 4);
    assert.equal(ended((await testee.run(0, late)).events, late), 'rejected');
    assert.deepEqual(asked((await testee.run(ms(1), reply(1))).events), [2]);
    assert.deepEqual(asked((await testee.run(ms(2), reply(2))).events), [3]);
    assert.equal(ended((await testee.run(ms(3), reply(3))).events, drain), 'value');
    await testee.instant(ms(3), false, { destroy: on });
    assert.deepEqual((await testee.run(ms(3))).events, []);
    assert.deepEqual(await testee.end(), []);
    assert.equal(await testee.close(), 0);
  });

  test(`${subject}: a drain that is cancelled ends so, and the jobs go on`, async () => {
    const { testee, on } = await pool(subject);
    const drain = testee.call(on, 'drain');
    await testee.run(0, submit(testee, on, 1), submit(testee, on, 2));
    await testee.run(0, drain);
    assert.equal(ended((await testee.run(0, { cancel: drain.call })).events, drain), 'cancelled');
    assert.deepEqual(asked((await testee.run(0, reply(1))).events), [2]);
    const again = testee.call(on, 'drain');
    await testee.run(0, again);
    await testee.close();
  });
}

test('fastq: what a job throws reaches the hook, once', async () => {
  const { testee, on } = await pool('fastq');
  await testee.run(0, submit(testee, on, 1));
  assert.deepEqual((await testee.run(0, reply(1, failed('boom')))).events, [{ unhandled: failed('boom') }]);
  await testee.instant(0, false, { destroy: on });
  assert.deepEqual((await testee.run(0)).events, []);
  await testee.close();
});

for (const subject of with_handles) {
  test(`${subject}: what a job throws reaches its handle, or the hook in the end, once`, async () => {
    const { testee, on } = await pool(subject);
    await testee.run(0, submit(testee, on, 1), submit(testee, on, 2));
    const gives_up = testee.call(on, 'outcome', { job: 1 });
    await testee.run(0, gives_up);
    assert.equal(ended((await testee.run(0, { cancel: gives_up.call })).events, gives_up), 'cancelled');
    const after = await testee.run(0, reply(1, failed('one')));
    assert.deepEqual(asked(after.events), [2]);
    assert.equal(after.events.length, 1, 'nobody is told yet');
    const asks = testee.call(on, 'outcome', { job: 1 });
    assert.deepEqual((await testee.run(0, asks)).events, [{ done: asks.call, outcome: failed('one') }]);
    const again = testee.call(on, 'outcome', { job: 1 });
    assert.equal(ended((await testee.run(0, again)).events, again), 'error', 'it was told');
    assert.deepEqual((await testee.run(0, reply(2, failed('two')))).events, []);
    await testee.instant(0, false, { destroy: on });
    assert.deepEqual((await testee.run(0)).events, [{ unhandled: failed('two') }]);
    await testee.close();
  });
}

for (const subject of with_handles) {
  test(`${subject}: whoever is cancelled as the job ends is told, or can ask again`, async () => {
    const { testee, on } = await pool(subject);
    let cancelled = 0;
    for (let job = 1; job <= 12; ++job) {
      await testee.run(0, submit(testee, on, job));
      const asks = testee.call(on, 'outcome', { job });
      await testee.run(0, asks);
      const { events } = await testee.run(0, reply(job, failed('boom')), { cancel: asks.call, after: job - 1 });
      if (ended(events, asks) === 'error') continue;
      assert.equal(ended(events, asks), 'cancelled');
      ++cancelled;
      const again = testee.call(on, 'outcome', { job });
      assert.deepEqual(
        (await testee.run(0, again)).events,
        [{ done: again.call, outcome: failed('boom') }],
        `after ${job - 1}`,
      );
    }
    assert.ok(cancelled > 1 && cancelled < 12, `${cancelled} of 12 are cancelled`);
    await testee.instant(0, false, { destroy: on });
    assert.deepEqual((await testee.run(0)).events, [], 'all were told');
    await testee.close();
  });
}

test('bottleneck: a full queue refuses', async () => {
  const { testee, on } = await pool('bottleneck', { queue_capacity: 2 });
  const kinds = [];
  for (let job = 1; job <= 4; ++job) {
    const call = submit(testee, on, job);
    kinds.push(ended((await testee.run(0, call)).events, call));
  }
  assert.deepEqual(kinds, ['value', 'value', 'value', 'rejected']);
  assert.deepEqual(await testee.now(0, on, 'drains_nested'), value(6, false));
  await testee.close();
});

test('p_queue_backpressure: a full queue keeps whoever submits waiting, until it is cancelled or there is room', async () => {
  const { testee, on } = await pool('p_queue_backpressure', { queue_capacity: 1 });
  const calls = [1, 2, 3, 4].map((job) => submit(testee, on, job));
  const kinds = [];
  for (const call of calls.slice(0, 3)) kinds.push(ended((await testee.run(0, call)).events, call));
  assert.deepEqual(kinds, ['value', 'value', undefined]);
  assert.equal(ended((await testee.run(0, { cancel: calls[2].call })).events, calls[2]), 'cancelled');
  await testee.run(0, calls[3]);
  const { events } = await testee.run(0, reply(1));
  assert.equal(ended(events, calls[3]), 'value');
  assert.deepEqual(asked(events), [2]);
  await testee.close();
});

test('p_queue: stop_now asks the running jobs to stop, and returns the others', async () => {
  const { testee, on } = await pool('p_queue', { workers: 2 });
  await testee.run(0, ...[1, 2, 3, 4].map((job) => submit(testee, on, job)));
  const stop = testee.call(on, 'stop_now');
  const { events } = await testee.run(0, stop);
  assert.deepEqual(
    events.filter((event) => 'cancel' in event),
    [{ cancel: 1 }, { cancel: 2 }],
  );
  const end = await testee.run(0, reply(1, { kind: 'cancelled' }), reply(2, { kind: 'cancelled' }));
  assert.deepEqual(
    [...events, ...end.events].find((event) => event.done === stop.call),
    value(stop.call, [3, 4]),
  );
  await testee.instant(0, false, { destroy: on });
  assert.deepEqual((await testee.run(0)).events, [], 'a job that was stopped has not failed');
  await testee.close();
});

for (const subject of ['p_queue', 'p_queue_backpressure', 'bottleneck']) {
  test(`${subject}: the most urgent job is next, equals keep their order`, async () => {
    const { testee, on } = await pool(subject);
    await testee.run(0, submit(testee, on, 9));
    const priorities = [0, 1, -1, 2, 1];
    for (const [job, priority] of priorities.entries()) await testee.run(0, submit(testee, on, job + 1, priority));
    const order = [];
    for (let i = 1; i <= 5; ++i) order.push(...asked((await testee.run(0, reply(i))).events));
    assert.deepEqual(order, [4, 2, 5, 1, 3]);
    await testee.close();
  });
}

for (const subject of ['p_queue', 'p_limit', 'bottleneck', 'fastq']) {
  test(`${subject}: scale_to takes effect`, async () => {
    const { testee, on } = await pool(subject);
    await testee.run(0, ...[1, 2, 3, 4].map((job) => submit(testee, on, job)));
    assert.deepEqual(await testee.now(0, on, 'scale_to', { workers: 3 }).then(({ outcome }) => outcome.kind), 'value');
    const { events } = await testee.run(0);
    // What the subject does at once is told with the call, the rest with the run.
    const begun = testee.transcript.match(/"name":"run","args":\{"job":\d\}/g).length;
    assert.equal(begun, 3);
    assert.ok(asked(events).length <= 2);
    await testee.close();
  });
}

for (const subject of ['p_queue', 'fastq']) {
  test(`${subject}: waits for its start, and starts again after a drain`, async () => {
    const { testee, on } = await pool(subject, { started: false });
    assert.deepEqual(asked((await testee.run(0, submit(testee, on, 1))).events), []);
    const refused = testee.call(on, 'drain');
    assert.equal(ended((await testee.run(0, refused)).events, refused), 'rejected');
    await testee.now(0, on, 'start');
    await testee.run(0);
    const drain = testee.call(on, 'drain');
    await testee.run(0, drain);
    assert.equal(ended((await testee.run(0, reply(1))).events, drain), 'value');
    await testee.now(0, on, 'start');
    assert.deepEqual(asked((await testee.run(0, submit(testee, on, 2))).events), [2]);
    await testee.close();
  });
}

test('abortable: what has ended or is aborted already', async () => {
  const stop = new Error('stop');
  assert.equal(await abortable(Promise.resolve(1), new AbortController().signal), 1);
  await assert.rejects(abortable(Promise.reject(stop), new AbortController().signal), stop);
  await assert.rejects(abortable(new Promise(() => {}), AbortSignal.abort(stop)), stop);
});

test('the worked example of the README is the adapter that runs here', () => {
  const read = (name) => fs.readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
  const code = read('README.md')
    .match(/```js\n\/\/ fastq:[^]*?```/)[0]
    .slice(6, -3);
  assert.equal(code, read('adapters/fastq.mjs'));
});
