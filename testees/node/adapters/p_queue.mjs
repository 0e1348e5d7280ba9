// p-queue: a queue of promise-returning functions with a limit on how many run.
import { Cancelled, Rejected, abortable } from '../lib/testee.mjs';
import { Handles } from '../lib/handles.mjs';
import PQueue from 'p-queue';

class Pool {
  #env;
  #handles = new Handles();
  #closed = false; // p-queue has no end: that a drained pool accepts nothing is ours
  #stop = new AbortController(); // shared by all jobs: the README's bulk cancellation
  #unstarted = new Set();

  constructor(env, config) {
    this.queue = new PQueue({ concurrency: config.workers, autoStart: config.started });
    this.#env = env;
  }

  submit({ job, priority }) {
    this.refuseIfClosed();
    this.#unstarted.add(job);
    const run = ({ signal }) => {
      this.#unstarted.delete(job);
      return this.#env.call('run', { job }, signal);
    };
    this.#handles.keep(job, this.queue.add(run, { priority, signal: this.#stop.signal }));
  }

  refuseIfClosed() {
    if (this.#closed) throw new Rejected('the pool drains');
  }

  async drain(_, signal) {
    // onIdle() of a paused queue that holds something waits until it is started.
    if (this.queue.isPaused && this.queue.size !== 0) throw new Rejected('the queue is paused');
    this.#closed = true;
    await abortable(this.queue.onIdle(), signal);
  }

  async stop_now() {
    this.#closed = true;
    const unstarted = [...this.#unstarted];
    this.#unstarted.clear();
    this.#stop.abort(new Cancelled());
    await this.queue.onIdle();
    return unstarted;
  }

  outcome({ job }, signal) {
    return this.#handles.outcome(job, signal);
  }

  start() {
    if (this.#stop.signal.aborted) this.#stop = new AbortController();
    this.#closed = false;
    this.queue.start();
  }

  scale_to({ workers }) {
    this.queue.concurrency = workers;
  }

  destroy() {
    this.#handles.drop();
  }
}

// As the README's answer to "How do I implement backpressure?".
class PoolWithBackpressure extends Pool {
  #capacity;

  constructor(env, config) {
    super(env, config);
    this.#capacity = config.queue_capacity;
  }

  async submit(request, signal) {
    this.refuseIfClosed();
    await abortable(this.queue.onSizeLessThan(this.#capacity), signal);
    super.submit(request);
  }
}

const readme = 'p-queue 9.3.5, readme.md';

export const subjects = [
  {
    name: 'p_queue',
    contract: 'worker_pool',
    features: ['handles', 'stop_now', 'restartable', 'scaling', 'priorities'],
    cites:
      `${readme}: .add() "returns a promise that settles when the task completes"; priority: "operations with greater ` +
      'priority will be scheduled first"; "How do I cancel or remove a queued task?", bulk cancellation using a shared ' +
      'AbortController; autoStart, .start(); .concurrency; drain is .onIdle(): "all work from the queue has finished"',
    libraries: ['p-queue'],
    make: (env, config) => new Pool(env, config),
  },
  {
    name: 'p_queue_backpressure',
    contract: 'worker_pool',
    features: ['bounded', 'handles', 'priorities'],
    cites:
      `${readme}: as p_queue, and .onSizeLessThan(): "if you want to avoid having the queue grow beyond a certain size ` +
      'you can await queue.onSizeLessThan() before adding a new item"; "How do I implement backpressure?"',
    libraries: ['p-queue'],
    make: (env, config) => new PoolWithBackpressure(env, config),
  },
];
