// The conversation: what is answered to what, and what a wrong line comes to.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { Testee, fixture, started, value } from './driver.mjs';

const page = fs.readFileSync(new URL('../../../harness/testee/PROTOCOL.md', import.meta.url), 'utf8');

test('the worked example of PROTOCOL.md is answered as it is written there', async () => {
  const lines = page
    .split('## A worked example')[1]
    .match(/^ {4}[<>] .*$/gm)
    .map((line) => line.trim());
  const testee = new Testee(fixture('queue_testee.mjs'));
  let compared = 0;
  for (let i = 0; i < lines.length; i += 2) {
    const asked = lines[i].slice(2).replaceAll('"Queue"', '"queue"');
    const answer = JSON.parse(await testee.say(asked));
    if ('hello' in answer) continue;
    assert.deepEqual(answer, JSON.parse(lines[i + 1].slice(2)));
    ++compared;
  }
  assert.equal(compared, 7);
  assert.equal(await testee.close(), 0);
});

test('hello says who is there, with the versions of libraries', async () => {
  const testee = new Testee(fixture('../../node_testee.mjs'));
  const { hello } = await testee.hello();
  assert.equal(hello.protocol, 1);
  assert.equal(hello.name, 'node');
  assert.match(hello.language, /^Node\.js \d+\.\d+\.\d+$/);
  const { dependencies } = JSON.parse(fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  delete dependencies['@sinonjs/fake-timers']; // the helper's own
  assert.deepEqual(hello.libraries, dependencies);
  for (const [library, version] of Object.entries(hello.libraries)) assert.match(version, /^\d/, library);
  assert.equal(hello.turns, true);
  assert.equal(hello.seeded, false);
  const names = hello.subjects.map((subject) => subject.name);
  assert.ok(names.length > 0);
  assert.equal(new Set(names).size, names.length, 'no name is given twice');
  for (const { name, contract, cites, features } of hello.subjects) {
    assert.match(contract, /^[a-z_]+$/, name);
    assert.ok(Array.isArray(features), name);
    assert.ok(cites, `${name} says what it is`);
    for (const [library, version] of Object.entries(hello.libraries)) {
      if (cites.toLowerCase().startsWith(library)) assert.ok(cites.includes(version), `${library} cites its version`);
    }
  }
  assert.equal(await testee.close(), 0);
});

test('the newest version is spoken that both know', async () => {
  const testee = new Testee(fixture('odd_testee.mjs'));
  for (const [newest, spoken] of [[1, 1], [2, 2], [7, 2]]) {
    const { hello } = await testee.ask({ hello: { protocol: 1, newest, harness: 'x' } });
    assert.equal(hello.protocol, spoken);
    assert.equal(hello.looks, true);
    assert.equal(hello.checkpoint, false);
  }
  assert.equal(await testee.close(), 0);
});

test('a query that cannot say anything is left out of a look, and a subject that is gone', async () => {
  const testee = new Testee(fixture('queue_testee.mjs'));
  await testee.hello();
  await testee.begin();
  const make = testee.newId();
  const look = ['size', 'no_such'];
  const made = await testee.instant(0, false, { make, subject: 'queue', config: { capacity: 1 }, look });
  assert.deepEqual(made.looked_at, { 1: { size: 0 } });
  assert.equal('looked_at' in (await testee.instant(0, false, { destroy: make })), false);
  assert.equal(await testee.close(), 0);
});

test('members that are not known are ignored', async () => {
  const testee = new Testee(fixture('odd_testee.mjs'));
  assert.ok((await testee.ask({ hello: { protocol: 1, harness: 'x', colour: 'red' }, more: 1 })).hello);
  assert.equal(await testee.close(), 0);
});

test('a line of several hundred thousand bytes comes through whole, both ways', async () => {
  const { testee, on } = await started('odd_testee.mjs', 'odd');
  const what = 'äöü€'.repeat(100_000);
  const { events } = await testee.run(0, testee.call(on, 'returns', { what }));
  assert.deepEqual(events, [value(2, what)]);
  await testee.close();
});

test('lines that come at once are answered one after the other', async () => {
  const testee = new Testee(fixture('odd_testee.mjs'));
  const answer = testee.say('{"hello":{"protocol":1}}\n{"begin":{"trial":1,"seed":0}}\n{"end":{"trial":1}}');
  assert.ok(JSON.parse(await answer).hello);
  assert.deepEqual(JSON.parse(await testee.line()), { begun: { trial: 1 } });
  assert.deepEqual(JSON.parse(await testee.line()), { ended: { trial: 1, left: [] } });
  assert.equal(await testee.close(), 0);
});

test('the numbers of trials start anew, and a later trial knows nothing of an earlier one', async () => {
  const { testee, on } = await started('odd_testee.mjs', 'odd');
  const first = await testee.run(0, testee.call(on, 'sleep', { ms: 10 }));
  assert.equal(first.deadline, 10_000_000);
  await testee.run(3_000_000, testee.call(on, 'ask', { name: 'work' }));
  await testee.begin();
  assert.deepEqual(await testee.run(0), { trial: 2, number: 1, events: [], deadline: null });
  assert.deepEqual(await testee.end(), []);
  assert.equal(await testee.close(), 0);
});

test('every outcome is written as the protocol has it', async () => {
  const { testee, on } = await started('odd_testee.mjs', 'odd');
  const expected = {
    closed: { kind: 'closed' },
    timed_out: { kind: 'timed_out' },
    rejected: { kind: 'rejected', label: 'full' },
    broken: { kind: 'broken', label: 'the ground' },
    error: { kind: 'error', label: 'boom' },
    plain: { kind: 'error', label: 'plain' },
    text: { kind: 'error', label: 'a text' },
    abort: { kind: 'cancelled' },
    timeout: { kind: 'timed_out' },
    exit: { kind: 'exit', status: 3 },
    aggregate: {
      kind: 'aggregate',
      members: [
        { task: 'a', what: { kind: 'error', label: 'one' } },
        { task: 'b', what: { kind: 'aggregate', members: [{ task: 'c', what: { kind: 'closed' } }] } },
      ],
    },
    platform: {
      kind: 'aggregate',
      members: [
        { task: '0', what: { kind: 'error', label: 'first' } },
        { task: '1', what: { kind: 'cancelled' } },
      ],
    },
  };
  for (const [how, outcome] of Object.entries(expected)) {
    assert.deepEqual((await testee.now(0, on, 'end_as', { how })).outcome, outcome, how);
  }
  await testee.close();
});

test('null is a value that is left out', async () => {
  const { testee, on } = await started('odd_testee.mjs', 'odd');
  assert.deepEqual((await testee.run(0, testee.call(on, 'returns', { what: null }))).events, [value(2)]);
  assert.deepEqual((await testee.run(0, testee.call(on, 'returns', { what: 0 }))).events, [value(3, 0)]);
  assert.deepEqual((await testee.run(0, testee.call(on, 'returns', { what: false }))).events, [value(4, false)]);
  await testee.close();
});

test('every outcome of a callback is thrown as its class', async () => {
  const { testee, on } = await started('odd_testee.mjs', 'odd');
  const outcomes = [
    [{ kind: 'value' }, 'a value'],
    [{ kind: 'error', label: 'x' }, 'OperationError x'],
    [{ kind: 'cancelled' }, 'Cancelled undefined'],
    [{ kind: 'closed' }, 'Closed undefined'],
    [{ kind: 'timed_out' }, 'TimedOut undefined'],
    [{ kind: 'rejected', label: 'no' }, 'Rejected no'],
    [{ kind: 'broken', label: 'b' }, 'Broken b'],
    [{ kind: 'exit', status: 2 }, 'Exit undefined'],
    [{ kind: 'aggregate', members: [{ task: 'a', what: { kind: 'closed' } }] }, 'Aggregate undefined'],
  ];
  for (const [i, [outcome, thrown]] of outcomes.entries()) {
    const call = testee.call(on, 'ask_for_what');
    await testee.run(0, call);
    assert.deepEqual((await testee.run(0, { reply: i + 1, outcome })).events, [value(call.call, thrown)]);
  }
  await testee.close();
});

test('a method that there is not is refused, and nothing else happens', async () => {
  const { testee, on } = await started('odd_testee.mjs', 'odd');
  for (const method of ['fly', 'constructor', 'toString', 'env']) {
    const event = await testee.now(0, on, method);
    assert.ok(event.refused > 0, method);
    assert.match(event.why, new RegExp(`odd has no method ${method}`));
  }
  await testee.close();
});

test('a subject that cannot be made so says why', async () => {
  const { testee } = await started('odd_testee.mjs', 'odd');
  const { events } = await testee.instant(0, false, { make: 9, subject: 'odd', config: { impossible: true } });
  assert.deepEqual(events, [{ done: 9, outcome: { kind: 'rejected', label: 'impossible' } }]);
  await testee.close();
});

// ---- mistakes end the testee, with one line that says which

async function expectError(testee, line, pattern) {
  const answer = JSON.parse(await testee.say(line));
  assert.deepEqual(Object.keys(answer), ['error']);
  assert.match(answer.error, pattern);
  assert.equal(await testee.close(), 1);
  assert.ok(testee.stderr.includes(answer.error.split('\n')[0]), 'standard error says it, too');
}

const instant = (members) =>
  JSON.stringify({ instant: { trial: 1, number: 9, now: 0, run: true, commands: [], ...members } });
const command = (one, run = true) => instant({ run, commands: [one] });

test('lines that are wrong', async (t) => {
  const wrong = {
    'no JSON': ['{"hello"', /line 4 of the input is not JSON/],
    'no object': ['[1]', /line 4 of the input is no JSON object/],
    'an unknown message': ['{"dance":{}}', /a message is unknown: \{"dance"/],
    'another version': ['{"hello":{"protocol":3}}', /protocol 3 to 3 is not spoken here, but 1 to 2/],
    'another trial': [instant({ trial: 7 }), /trial 7 is not under way/],
    'an instant again': [instant({ number: 1 }), /instant 1 comes after instant 1/],
    'an unknown command': [command({ jump: 1 }), /a command is unknown: \{"jump":1\}/],
    'an unknown subject': [command({ make: 5, subject: 'even', config: {} }), /there is no subject "even"/],
    'a number again': [command({ call: 1, on: 1, method: 'tell', args: {} }), /the number 1 was used before/],
    'no number': [command({ call: 'x', on: 1, method: 'tell', args: {} }), /"x" is no number for an operation/],
    'an object that was not made': [
      command({ call: 5, on: 3, method: 'tell', args: {} }),
      /object 3, which was not made/,
    ],
    'a cancel of nothing': [command({ cancel: 77 }), /cancel of 77, which was not called/],
    'a reply to nothing': [command({ reply: 1, outcome: { kind: 'value' } }), /reply to 1, which does not wait/],
  };
  for (const [name, [line, pattern]] of Object.entries(wrong)) {
    await t.test(name, async () => {
      const { testee } = await started('odd_testee.mjs', 'odd');
      await expectError(testee, line, pattern);
    });
  }
});

test('adapters that are wrong', async (t) => {
  const call = (method, run) => command({ call: 5, on: 1, method, args: {} }, run);
  const wrong = {
    'a bug in a method': [
      call('bug', false),
      /odd.bug threw, .* mistake in the adapter: TypeError: this.no_such_method/,
    ],
    'a bug after a while': [call('late_bug', true), /odd.late_bug threw, .* mistake in the adapter: TypeError/],
    'a value that JSON has not': [
      call('returns_nonsense', false),
      /odd.returns_nonsense: the number 0.5 cannot be written/,
    ],
    'an object of a class': [call('returns_map', false), /odd.returns_map: a value of type Map cannot be written/],
    'an immediate method that is not': [call('zero_delays', false), /the method zero_delays has to be immediate/],
    'a subject that is made later': [
      command({ make: 5, subject: 'odd', config: { promise: true } }, false),
      /odd.make has to be immediate/,
    ],
  };
  for (const [name, [line, pattern]] of Object.entries(wrong)) {
    await t.test(name, async () => {
      const { testee } = await started('odd_testee.mjs', 'odd');
      await expectError(testee, line, pattern);
    });
  }
  for (const [which, pattern] of [
    ['name', /"a b" is no name for a subject/],
    ['make', /the subject odd has no function make/],
    ['cites', /the subject odd cites nothing/],
    ['twin', /there are two subjects odd/],
  ]) {
    await t.test(`a subject that is wrong: its ${which}`, async () => {
      const testee = new Testee(fixture('odd_testee.mjs'), [which]);
      const answer = JSON.parse(await testee.say(''));
      assert.match(answer.error, pattern);
      assert.equal(await testee.close(), 1);
    });
  }
});

test('whatever prints does not disturb the protocol', async () => {
  const { testee, on } = await started('odd_testee.mjs', 'odd');
  assert.deepEqual(await testee.now(0, on, 'print'), value(2, 1));
  assert.deepEqual((await testee.run(0)).events, []);
  assert.equal(await testee.close(), 0);
  assert.equal(testee.stderr, 'by console\nby stdout\nby number\n');
});

test('nor where the output is a socket, unless it prints to the number of the descriptor', async () => {
  const testee = new Testee(fixture('odd_testee.mjs'), [], { piped: false });
  await testee.hello();
  await testee.begin();
  const on = await testee.make('odd');
  assert.deepEqual(await testee.now(0, on, 'print', { to_number: false }), value(2, 1));
  assert.deepEqual((await testee.run(0)).events, []);
  assert.equal(await testee.close(), 0);
  assert.equal(testee.stderr, 'by console\nby stdout\n');
});

test('the same conversation twice is the same to the byte', async () => {
  const play = async () => {
    const { testee, on } = await started('../../node_testee.mjs', 'bottleneck', { workers: 2, queue_capacity: 2 });
    const submits = [1, 2, 3, 4, 5].map((job) => ({
      ...testee.call(on, 'submit', { job, priority: 0 }),
      after: job % 3,
    }));
    await testee.run(0, ...submits);
    await testee.run(0, testee.call(on, 'drain'), { cancel: submits[0].call, after: 1 });
    for (const reply of [1, 2, 3])
      await testee.run(reply * 1_000_000, { reply, outcome: { kind: 'error', label: 'x' } });
    await testee.instant(9_000_000, false, { destroy: on });
    await testee.run(9_000_000);
    await testee.end();
    await testee.begin(42);
    const odd = await testee.make('p_queue', { workers: 1, queue_capacity: 1, started: true });
    await testee.run(0, testee.call(odd, 'submit', { job: 1, priority: 0 }));
    await testee.end();
    await testee.close();
    return testee.transcript;
  };
  const first = await play();
  assert.ok(first.includes('"callback":3'));
  assert.equal(await play(), first);
});

test('Math.random is decided by the seed of the trial', async () => {
  const testee = new Testee(fixture('odd_testee.mjs'));
  assert.equal((await testee.hello()).hello.seeded, true);
  const drawn = [];
  for (const seed of [1, 1, 2]) {
    await testee.begin(seed);
    const on = await testee.make('odd');
    drawn.push((await testee.now(0, on, 'random')).outcome.value);
  }
  assert.deepEqual(drawn[0], drawn[1]);
  assert.notDeepEqual(drawn[0], drawn[2]);
  await testee.close();
});
