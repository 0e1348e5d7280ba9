// Plays the harness: starts a testee and speaks with it.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const fixture = (name) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

// A test that fails leaves its testee behind.
const running = new Set();
after(() => {
  for (const child of running) process.kill(-child.pid, 'SIGKILL');
});

export class Testee {
  #child;
  #lines;
  #ended;
  #trial = 0;
  #instant = 0;
  #id = 0;
  stderr = '';
  transcript = '';

  // Node gives its children sockets; through cat they are pipes, as with the harness.
  constructor(file, args = [], { piped = true } = {}) {
    const script = piped ? 'set -o pipefail; "$0" "$@" 2> >(cat >&2) | cat' : 'exec "$0" "$@"';
    this.#child = spawn('bash', ['-c', script, process.execPath, file, ...args], { detached: true });
    running.add(this.#child);
    this.#child.on('close', () => running.delete(this.#child));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#child.stderr.on('data', (piece) => (this.stderr += piece));
    this.#child.stdin.on('error', () => {}); // it has ended
    this.#ended = new Promise((resolve) => this.#child.on('close', (status) => resolve(status)));
  }

  // Sends text as it is; the answer as it is.
  async say(line) {
    this.#child.stdin.write(`${line}\n`);
    const answer = await this.line();
    this.transcript += `> ${line}\n< ${answer}\n`;
    return answer;
  }

  // The next line that the testee writes.
  async line() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the testee has ended: ${this.stderr}`);
    return value;
  }

  async ask(message) {
    return JSON.parse(await this.say(JSON.stringify(message)));
  }

  hello() {
    return this.ask({ hello: { protocol: 1, harness: 'tests' } });
  }

  begin(seed = 0) {
    this.#instant = 0;
    this.#id = 0;
    return this.ask({ begin: { trial: ++this.#trial, seed } });
  }

  newId() {
    return ++this.#id;
  }

  async instant(now, run, ...commands) {
    const answer = await this.ask({ instant: { trial: this.#trial, number: ++this.#instant, now, run, commands } });
    return answer.instant ?? answer;
  }
  run(now, ...commands) {
    return this.instant(now, true, ...commands);
  }
  // An immediate call's event.
  async now(now, on, method, args = {}) {
    const { events } = await this.instant(now, false, { call: this.newId(), on, method, args });
    return events.at(-1);
  }

  async make(subject, config = {}) {
    const make = this.newId();
    await this.instant(0, false, { make, subject, config });
    return make;
  }

  call(on, method, args = {}) {
    return { call: this.newId(), on, method, args };
  }

  async end() {
    return (await this.ask({ end: { trial: this.#trial } })).ended.left;
  }

  // The exit status.
  close() {
    this.#child.stdin.end();
    return this.#ended;
  }
}

// A testee that has begun a trial and made one subject.
export async function started(name, subject, config) {
  const testee = new Testee(fixture(name));
  await testee.hello();
  await testee.begin();
  const on = await testee.make(subject, config);
  return { testee, on };
}

export const ms = (count) => count * 1_000_000;
export const value = (id, what) => ({
  done: id,
  outcome: what === undefined ? { kind: 'value' } : { kind: 'value', value: what },
});
