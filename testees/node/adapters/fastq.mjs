// fastq: an in-memory work queue.
import { Rejected, abortable } from '../lib/testee.mjs';
import fastq from 'fastq';

class Pool {
  #queue;
  #closed = false; // fastq has no end: that a drained pool accepts nothing is ours

  constructor(env, config) {
    const worker = ({ job }) => env.call('run', { job });
    this.#queue = fastq.promise(worker, config.workers);
    this.#queue.error((error) => error && env.unhandled(error));
    if (!config.started) this.#queue.pause();
  }

  submit({ job }) {
    if (this.#closed) throw new Rejected('the pool drains');
    this.#queue.push({ job });
  }

  async drain(_, signal) {
    if (this.#queue.paused && this.#queue.length() !== 0) throw new Rejected('the queue is paused');
    this.#closed = true;
    await abortable(this.#queue.drained(), signal);
  }

  start() {
    this.#closed = false;
    this.#queue.resume();
  }

  scale_to({ workers }) {
    this.#queue.concurrency = workers;
  }
}

export const subjects = [
  {
    name: 'fastq',
    contract: 'worker_pool',
    features: ['restartable', 'scaling'],
    cites:
      'fastq 1.20.3, README.md: fastqueue.promise(): queue.push(), queue.drained() "resolved when all tasks in the queue ' +
      'have been processed by a worker"; queue.error(): "called each time a task is completed"; queue.concurrency "can ' +
      'be altered at runtime"; queue.pause(), queue.resume()',
    libraries: ['fastq'],
    make: (env, config) => new Pool(env, config),
  },
];
