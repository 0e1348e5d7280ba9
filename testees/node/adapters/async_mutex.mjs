// async-mutex: a semaphore, and a mutex.
import { Rejected, TimedOut, abortable } from '../lib/testee.mjs';
import { E_CANCELED, E_TIMEOUT, Mutex, Semaphore, withTimeout } from 'async-mutex';

// What the library says in its own words.
function translated(error) {
  if (error === E_CANCELED) return new Rejected('canceled');
  if (error === E_TIMEOUT) return new TimedOut();
  return error;
}

const milliseconds = (patience) => Math.max(0, Math.ceil(patience / 1e6));

// The library has no way to take one request back: whoever does not want it any more gives it back when it comes, as
// withTimeout does. A permit may be on its way there and back, so getValue() is not asked.
async function taken(acquiring, signal, give_back = ([, release]) => release()) {
  try {
    await abortable(acquiring, signal);
  } catch (error) {
    if (signal.aborted) acquiring.then(give_back, () => {});
    throw translated(error);
  }
}

// Does the work, if it is wanted when it may begin; then it ends as the work does.
async function exclusively(lock, env, work, signal) {
  let begun = false;
  const running = lock.runExclusive(() => {
    if (signal.aborted) throw signal.reason;
    begun = true;
    return env.call('step', { step: work }, signal);
  });
  try {
    await abortable(running, signal);
  } catch (error) {
    if (begun) await running;
    running.catch(() => {});
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
    const timed = withTimeout(this.#semaphore, milliseconds(patience));
    return taken(timed.acquire(count), signal);
  }

  acquire_urgently({ priority }, signal) {
    return taken(this.#semaphore.acquire(1, priority), signal);
  }

  release({ count }) {
    this.#semaphore.release(count);
  }

  run({ work }, signal) {
    return exclusively(this.#semaphore, this.#env, work, signal);
  }

  cancel_all() {
    this.#semaphore.cancel();
  }
}

class Exclusive {
  #mutex = new Mutex();
  #env;

  constructor(env) {
    this.#env = env;
  }

  run({ work }, signal) {
    return exclusively(this.#mutex, this.#env, work, signal);
  }

  run_for({ patience, work }, signal) {
    const lock = patience === null ? this.#mutex : withTimeout(this.#mutex, milliseconds(patience));
    return exclusively(lock, this.#env, work, signal);
  }

  lock(_, signal) {
    return taken(this.#mutex.acquire(), signal, (release) => release());
  }

  lock_urgently({ priority }, signal) {
    return taken(this.#mutex.acquire(priority), signal, (release) => release());
  }

  unlock() {
    this.#mutex.release();
  }

  wait_unlocked(_, signal) {
    return abortable(this.#mutex.waitForUnlock(), signal);
  }

  cancel_all() {
    this.#mutex.cancel();
  }

  is_locked() {
    return this.#mutex.isLocked();
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
  {
    name: 'async_mutex',
    contract: 'mutex',
    features: ['timed', 'manual', 'priority', 'cancel_all', 'wait_unlocked', 'status'],
    cites:
      `${readme}: runExclusive: "the mutex is released and the result rejected if an exception occurs"; acquire, with a ` +
      'priority; release(); cancel(): "reject all pending locks", "a currently held lock will not be revoked"; ' +
      'waitForUnlock(): "resolve once the mutex can be acquired again. This operation will not lock the mutex"; isLocked(); ' +
      'withTimeout: "reject with E_TIMEOUT. The latter will not run the provided callback in case of an timeout"',
    libraries: ['async-mutex'],
    make: (env) => new Exclusive(env),
  },
];
