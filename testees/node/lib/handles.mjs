// The promises that a library gives for its jobs, kept until somebody asks how a job ended.
//
// Node calls a failure unhandled if nobody has asked by the time it happens. An adapter that claims handles keeps
// the promises as a program does that looks at its results at the end, and what it never looked at is unhandled then.
import { abortable } from './abortable.mjs';
import { Cancelled } from './outcomes.mjs';

export class Handles {
  #promises = new Map();

  keep(job, promise) {
    promise.catch(() => {});
    this.#promises.set(job, promise);
  }

  // Ends as the job did. Whoever gives up asking has learnt nothing, and can ask again.
  async outcome(job, signal) {
    const promise = this.#promises.get(job);
    if (promise === undefined) throw new Error(`job ${job} is not known, or its outcome was told`);
    try {
      await abortable(promise, signal);
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) this.#promises.delete(job);
      throw error;
    }
    this.#promises.delete(job);
  }

  // Nobody will ask any more: failures that were not told are unhandled rejections now.
  drop() {
    for (const promise of this.#promises.values()) {
      promise.catch((error) => {
        if (!(error instanceof Cancelled)) throw error;
      });
    }
    this.#promises.clear();
  }
}
