// p-limit: runs functions, at most so many at once.
import { Rejected, abortable } from '../lib/testee.mjs';
import { Handles } from '../lib/handles.mjs';
import pLimit from 'p-limit';

class Pool {
  #limit;
  #env;
  #handles = new Handles();
  #promises = new Set(); // of jobs that have not ended: p-limit says nothing of when it is idle
  #closed = false;

  constructor(env, config) {
    this.#limit = pLimit(config.workers);
    this.#env = env;
  }

  submit({ job }) {
    if (this.#closed) throw new Rejected('the pool drains');
    const promise = this.#limit(() => this.#env.call('run', { job }));
    this.#handles.keep(job, promise);
    this.#promises.add(promise);
    const forget = () => this.#promises.delete(promise);
    promise.then(forget, forget);
  }

  // The README waits for its input with Promise.all; jobs that fail are told elsewhere here.
  async drain(_, signal) {
    this.#closed = true;
    await abortable(Promise.allSettled(this.#promises), signal);
  }

  outcome({ job }, signal) {
    return this.#handles.outcome(job, signal);
  }

  scale_to({ workers }) {
    this.#limit.concurrency = workers;
  }

  destroy() {
    this.#handles.drop();
  }
}

export const subjects = [
  {
    name: 'p_limit',
    contract: 'worker_pool',
    features: ['handles', 'scaling'],
    cites:
      'p-limit 7.3.3, readme.md: limit(fn) "returns the promise returned by calling fn(...args)"; limit.concurrency: ' +
      '"get or set the concurrency limit"; Usage: the results are waited for with Promise.all',
    libraries: ['p-limit'],
    make: (env, config) => new Pool(env, config),
  },
];
