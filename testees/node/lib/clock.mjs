// Virtual time beneath unmodified libraries. Importing this module puts it in place, so it is imported before any
// library is: some remember setTimeout as they are loaded.
//
// nextTick and queueMicrotask stay the real ones: they never wait for a clock, and keep their order.
import FakeTimers from '@sinonjs/fake-timers';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';

export const realSetImmediate = setImmediate;
export const realQueueMicrotask = queueMicrotask;

// Virtual time 0. Not 1970: a library that takes a time of 0 for "none" is right in every real program.
const epoch_ms = Date.UTC(2000, 0, 1);
const ns_per_ms = 1_000_000;

const clock = FakeTimers.install({ now: epoch_ms, toNotFake: ['nextTick', 'queueMicrotask'] });

// A timer for 0 ms is due at this instant, also if it is set while another fires. (Node makes 1 ms of it, as the
// clock makes of one that is set during a tick. But what a program does without waiting happens at one instant.)
Object.defineProperty(clock, 'duringTick', { get: () => false, set() {} });

// Timers by their ids, to ask whether they are unref'd.
const handles = new Map();
const tracked =
  (set) =>
  (callback, delay, ...args) => {
    const handle = set(callback, delay, ...args);
    handles.set(Number(handle), handle);
    return handle;
  };
clock.setTimeout = tracked(clock.setTimeout);
// An interval of 0 would never let its instant end; Node makes 1 ms of it.
const setEvery = tracked(clock.setInterval);
clock.setInterval = (callback, delay, ...args) => setEvery(callback, Math.max(1, Number(delay) || 1), ...args);

// What Node implements beneath its own setTimeout.
AbortSignal.timeout = function timeout(delay) {
  const controller = new AbortController();
  const expire = () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
  setTimeout(expire, delay).unref();
  return controller.signal;
};
timersPromises.scheduler.wait = (delay, options) => timersPromises.setTimeout(delay, undefined, options);
syncBuiltinESMExports();

// Throws away every timer, and sets the clock to 0.
export function reset() {
  clock.reset();
  handles.clear();
}

// JavaScript's clocks count milliseconds; what is beyond is cut off, as libuv does.
export function setNow(ns) {
  const now = epoch_ms + Math.floor(ns / ns_per_ms);
  if (now < clock.now) return `the clock cannot go back to ${ns} ns`;
  const first = earliest();
  if (first !== null && first.callAt < now) return `the timer that was due at ${nsOf(first.callAt)} ns was passed over`;
  clock.now = now;
  return null;
}

// Fires the first timer or immediate that is due, as one task of the event loop. False if there is none.
export function fireNext() {
  const first = earliest();
  if (first === null || first.callAt > clock.now) return false;
  clock.next();
  return true;
}

export function deadline() {
  const first = earliest();
  return first === null ? null : nsOf(first.callAt);
}

// What is still set. Not the unref'd ones: they keep no program alive.
export function left() {
  const timers = [...(clock.timers?.values() ?? [])].sort((a, b) => a.id - b.id);
  return timers
    .filter((timer) => handles.get(timer.id)?.hasRef() ?? true)
    .map((timer) => {
      const set = (timer.createdAt - epoch_ms).toString();
      if (timer.type === 'Interval') return `an interval of ${timer.interval} ms, set at ${set} ms`;
      if (timer.type === 'Immediate') return `an immediate, set at ${set} ms`;
      return `a timer of ${timer.delay} ms, set at ${set} ms`;
    });
}

// The clock's own list is not documented; that it is one is checked by tests/time.test.mjs.
function earliest() {
  let first = null;
  for (const timer of clock.timers?.values() ?? []) {
    if (first === null || timer.callAt < first.callAt) first = timer;
  }
  return first;
}

const nsOf = (ms) => (ms - epoch_ms) * ns_per_ms;
