// Promise.race of work and a timer, as JavaScript does without cancellation: what loses goes on, and nobody waits for it.
import { TimedOut, abortable } from '../lib/testee.mjs';

const milliseconds = (limit) => Math.max(0, Math.ceil(limit / 1e6));
const LONGEST = 2 ** 31 - 1; // of setTimeout, which makes 1 ms of what is longer

class PromiseRace {
  #env;

  constructor(env) {
    this.#env = env;
  }

  #step(work) {
    const running = this.#env.call('step', { step: work });
    running.catch(() => {}); // a failure that comes too late is nobody's
    return running;
  }

  async run_for({ limit, work }, signal) {
    const running = this.#step(work);
    if (limit === null || milliseconds(limit) > LONGEST) return abortable(running, signal);
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new TimedOut()), milliseconds(limit));
    });
    try {
      await abortable(Promise.race([running, late]), signal);
    } finally {
      clearTimeout(timer);
    }
  }

  race({ works }, signal) {
    const running = works.map(({ id }, index) => this.#step(id).then(() => index));
    for (const one of running) one.catch(() => {});
    return abortable(Promise.race(running), signal);
  }
}

export const subjects = [
  {
    name: 'promise_race',
    contract: 'timeout',
    features: ['race'],
    cites:
      'developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/Promise/race: "settles with the eventual state of the ' +
      'first promise that settles"; setTimeout and clearTimeout',
    libraries: [],
    make: (env) => new PromiseRace(env),
  },
];
