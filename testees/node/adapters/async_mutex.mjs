// async-mutex: a semaphore, and a mutex.
import { Rejected, TimedOut, abortable } from '../lib/testee.mjs';
import { E_CANCELED, E_TIMEOUT, Semaphore, withTimeout } from 'async-mutex';

// What the library says in its own words.
function translated(error) {
  if (error === E_CANCELED) return new Rejected('canceled');
  if (error === E_TIMEOUT) return new TimedOut();
  return error;
}

// The library has no way to take one request back: whoever does not want it any more gives it back when it comes, as
// withTimeout does. A permit may be on its way there and back, so getValue() is not asked.
async function taken(acquiring, signal) {
  try {
    await abortable(acquiring, signal);
  } catch (error) {
    if (signal.aborted) acquiring.then(([, release]) => release(), () => {});
    throw translated(error);
  }
}

class Permits {
  #semaphore;
  #env;

  constructor(env, { limit }) {
    if (limit < 0) throw new Rejected('a negative limit');
    this.#semaphore = new Semaphore(limit);
    this.#env = env;
  }

  acquire({ count }, signal) {
    return taken(this.#semaphore.acquire(count), signal);
  }

  acquire_for({ count, patience }, signal) {
    if (patience === null) return this.acquire({ count }, signal);
    const timed = withTimeout(this.#semaphore, Math.max(0, Math.ceil(patience / 1e6)));
    return taken(timed.acquire(count), signal);
  }

  acquire_urgently({ priority }, signal) {
    return taken(this.#semaphore.acquire(1, priority), signal);
  }

  release({ count }) {
    this.#semaphore.release(count);
  }

  async run({ work }, signal) {
    let begun = false;
    const running = this.#semaphore.runExclusive(() => {
      if (signal.aborted) throw signal.reason;
      begun = true;
      return this.#env.call('step', { step: work }, signal);
    });
    try {
      await abortable(running, signal);
    } catch (error) {
      if (begun) await running; // it ends as the work does
      running.catch(() => {});
      throw translated(error);
    }
  }

  cancel_all() {
    this.#semaphore.cancel();
  }
}

const readme = 'async-mutex 0.5.0, README.md';

export const subjects = [
  {
    name: 'async_mutex_semaphore',
    contract: 'semaphore',
    features: ['weighted', 'timed', 'guarded', 'zero_limit', 'cancel_all', 'priority'],
    cites:
      `${readme}: "initialized with an arbitrary integer value"; acquire: "an optional argument weight", "specifying a ` +
      'greater value for priority tells the scheduler to release the semaphore to the caller before other callers"; ' +
      'runExclusive: "the semaphore is released and the result rejected if an exception occurs"; cancel(): "reject all ' +
      'pending locks", "any currently held locks will not be revoked"; withTimeout: "after the timeout is ' +
      'exceeded, the promise returned by acquire will reject with E_TIMEOUT"',
    libraries: ['async-mutex'],
    make: (env, config) => new Permits(env, config),
  },
];
