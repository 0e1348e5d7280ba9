// Bottleneck: a scheduler of jobs and rate limiter.
import { Rejected, abortable } from '../lib/testee.mjs';
import { Handles } from '../lib/handles.mjs';
import Bottleneck from 'bottleneck';

const { BottleneckError } = Bottleneck;

class Pool {
  #limiter;
  #env;
  #handles = new Handles();
  #accepted = new Map(); // by the limiter's ids: to be called when the limiter says "queued"

  constructor(env, config) {
    this.#limiter = new Bottleneck({
      maxConcurrent: config.workers,
      highWater: config.queue_capacity,
      strategy: Bottleneck.strategy.OVERFLOW, // "do not add the new job"
    });
    this.#limiter.on('queued', ({ options }) => this.#accepted.get(options.id)?.());
    this.#limiter.on('error', (error) => env.unhandled(error));
    this.#env = env;
  }

  // Ends when the job is "Queued. Bottleneck has accepted your job".
  async submit({ job, priority }) {
    const id = `job ${job}`;
    const accepted = new Promise((resolve) => this.#accepted.set(id, resolve));
    const promise = this.#limiter.schedule({ id, priority: urgency(priority) }, () => this.#env.call('run', { job }));
    try {
      await Promise.race([accepted, promise]);
    } catch (error) {
      throw refusal(error);
    }
    this.#handles.keep(job, promise);
  }

  submit_from_job({ job }) {
    return this.submit({ job, priority: 0 });
  }

  // "It prevents any new jobs from being added to the limiter", also those of jobs.
  drains_nested() {
    return false;
  }

  async drain(_, signal) {
    try {
      await abortable(this.#limiter.stop({ dropWaitingJobs: false }), signal);
    } catch (error) {
      throw refusal(error);
    }
  }

  outcome({ job }, signal) {
    return this.#handles.outcome(job, signal);
  }

  scale_to({ workers }) {
    this.#limiter.updateSettings({ maxConcurrent: workers });
  }

  destroy() {
    this.#handles.drop();
  }
}

// 0 to 9, and the smaller the more urgent.
const urgency = (priority) => Math.min(8, Math.max(0, 5 - priority));

const refusal = (error) => (error instanceof BottleneckError ? new Rejected(error.message) : error);

export const subjects = [
  {
    name: 'bottleneck',
    contract: 'worker_pool',
    features: ['handles', 'bounded', 'nested_submit', 'scaling', 'priorities'],
    cites:
      'Bottleneck 2.19.5, README.md: maxConcurrent; highWater and strategy OVERFLOW: "if the queue length reaches ' +
      'highWater, do not add the new job"; Jobs lifecycle: "Queued. Bottleneck has accepted your job"; stop(): "prevents ' +
      'any new jobs from being added", with dropWaitingJobs false "allow those jobs to complete before resolving"; ' +
      'Job Options: priority; updateSettings()',
    libraries: ['bottleneck'],
    make: (env, config) => new Pool(env, config),
  },
];
