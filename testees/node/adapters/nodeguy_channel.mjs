// @nodeguy/channel: Go's channels.
import { Closed, Rejected, TimedOut, after } from '../lib/testee.mjs';
import Channel from '@nodeguy/channel';

class Queue {
  #channel;
  #closed = false;
  #buffered = 0; // `length` is the capacity; the library does not tell how much is buffered

  constructor(env, config) {
    this.#channel = Channel(config.capacity);
  }

  async push({ item }, signal) {
    const push = this.#channel.push(item);
    await this.#pushed(outcome(push, () => push.cancel(), signal));
  }

  async pop(_, signal) {
    const shift = this.#channel.shift();
    return this.#popped(outcome(shift, () => shift.cancel(), signal));
  }

  async push_for({ item, patience }, signal) {
    await this.#pushed(within(patience, this.#channel.push(item), signal));
  }

  async pop_for({ patience }, signal) {
    return this.#popped(within(patience, this.#channel.shift(), signal));
  }

  size() {
    return this.#buffered;
  }

  close() {
    const twice = this.#closed;
    this.#closed = true;
    this.#channel.close().catch(() => {});
    // The promise says so, but an immediate call cannot wait for it.
    if (twice) throw new Rejected("Can't close an already-closed channel.");
  }

  async #pushed(push) {
    try {
      await push;
    } catch (error) {
      // The documentation says TypeError, it is an Error.
      throw error.message === "Can't push to closed channel." ? new Closed() : error;
    }
    this.#buffered++;
  }

  async #popped(shift) {
    const item = await shift;
    if (item === undefined) throw new Closed();
    this.#buffered--;
    return item;
  }
}

// How `promise` ends, unless it is cancelled before. `cancel` does not say whether it came in time; but what has been
// resolved by then has its reaction in the microtask queue already, and is served before ours.
function outcome(promise, cancel, signal, expired) {
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject);
    expired?.then(() => reject(new TimedOut()));
    signal.addEventListener('abort', () => {
      cancel();
      queueMicrotask(() => reject(signal.reason));
    }, { once: true });
  });
}

// The recipe for a timeout in API.md, with the promise of the push or shift instead of `value()`.
async function within(patience, operation, signal) {
  const timeout = Channel();
  const forget = after(patience, timeout.close);
  const expired = timeout.shift();
  const select = Channel.select([operation, expired]);
  select.catch(() => {}); // seen through `operation`
  try {
    return await outcome(operation, () => select.cancel(), signal, expired);
  } finally {
    forget();
  }
}

export const subjects = [
  {
    name: 'nodeguy_channel',
    contract: 'bounded_queue',
    features: ['close', 'close_completes_parked', 'rendezvous', 'timed'],
    cites:
      '@nodeguy/channel 1.0.2, API.md: Channel([bufferLength]): "allows an async function to push up to bufferLength values ' +
      'before blocking"; push(): "resolves when the value has been shifted or placed in the buffer", "can be cancelled ' +
      'before completion by calling cancel"; shift(): the same; close(): "no more values can be pushed", "resolves when ' +
      'any remaining pushes in flight complete"; Channel.select(): "so that the select completes within a timeout"',
    libraries: ['@nodeguy/channel'],
    make: (env, config) => new Queue(env, config),
  },
];
