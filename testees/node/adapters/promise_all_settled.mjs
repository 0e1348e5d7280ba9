// Promise.allSettled, and Promise.all of promises that tell their failures as values. JavaScript cancels nothing by itself: a
// signal goes to every operation, and is looked at when all have settled.
import { Cancelled, abortable } from '../lib/testee.mjs';

const value = (given) => ({ how: 'value', value: given, cause: '' });
const failure = (reason) =>
  reason instanceof Cancelled
    ? { how: 'cancelled', value: null, cause: '' }
    : { how: 'failed', value: null, cause: reason.label };

class Operations {
  #env;
  #values = new Map();

  constructor(env) {
    this.#env = env;
  }

  async operation({ id }, signal) {
    await this.#env.call('operation', { id }, signal);
    const given = this.#values.get(id);
    this.#values.delete(id);
    return given;
  }

  gave({ id, value }) {
    this.#values.set(id, value);
  }
}

class AllSettled extends Operations {
  async all({ operations }, signal) {
    const settled = await Promise.allSettled(operations.map((one) => this.operation(one, signal)));
    signal.throwIfAborted();
    return settled.map(slot);
  }

  async all_shared({ operations, which }, signal) {
    const running = operations.map((one) => this.operation(one, signal));
    const settled = await Promise.allSettled(which.map((index) => running[index]));
    signal.throwIfAborted();
    return settled.map(slot);
  }
}

const slot = (one) => (one.status === 'fulfilled' ? value(one.value) : failure(one.reason));

// Who calls gives up; what was begun goes to its end, and is asked to.
class AllOfCaught extends Operations {
  all({ operations }, signal) {
    return abortable(Promise.all(operations.map((one) => this.operation(one, signal).then(value, failure))), signal);
  }
}

const MDN = 'developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/Promise/';
const SIGNAL = 'developer.mozilla.org/docs/Web/API/AbortSignal';

export const subjects = [
  {
    name: 'promise_all_settled',
    contract: 'gather',
    features: ['owns_operations', 'own_cancellation', 'shared_handle'],
    cites:
      `${MDN}allSettled: "fulfills when all of the input's promises settle (including when an empty iterable is passed), with an ` +
      `array of objects that describe the outcome of each promise", in the order of the iterable; status, value, reason; ${SIGNAL}: ` +
      'a signal is passed to several operations; throwIfAborted',
    libraries: [],
    make: (env) => new AllSettled(env),
  },
  {
    name: 'promise_all',
    contract: 'gather',
    features: ['own_cancellation'],
    cites:
      `${MDN}all: "fulfills when all of the input's promises fulfill (including when an empty iterable is passed), with an array of ` +
      `the fulfillment values", in the order of the iterable; ${MDN}then: a handler for failures makes values of them; ${SIGNAL}`,
    libraries: [],
    make: (env) => new AllOfCaught(env),
  },
];
