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

// The time of a late loop stays what it is when a timer fires that was due before.
let now_ms = epoch_ms;
Object.defineProperty(clock, 'now', {
  get: () => now_ms,
  set(ms) {
    now_ms = Math.max(now_ms, ms);
  },
});

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
  now_ms = epoch_ms;
  pass = null;
  clock.reset();
  handles.clear();
}

// JavaScript's clocks count milliseconds; what is beyond is cut off, as libuv does.
export function setNow(ns) {
  const now = epoch_ms + Math.floor(ns / ns_per_ms);
  if (now < clock.now) return `the clock cannot go back to ${ns} ns`;
  clock.now = now;
  return null;
}

// Fires the first timer or immediate that is due, as one task of the event loop. False if there is none.
export function fireNext() {
  const first = earliest();
  if (first === null || first.callAt > clock.now) {
    pass = null;
    return false;
  }
  const late = first.callAt < clock.now || pass !== null ? nextOfLateLoop() : null;
  if (late === null) clock.next();
  else fire(late);
  return true;
}

// One pass of a late loop over the timers that are due: those that were set before it (up to this id), and the length of
// the list whose turn it is.
let pass = null;

// What Node does when several timers are due by now (lib/internal/timers.js): immediates that are there already come
// first. Then all that is due, list by list, and a list has the timers of one length: so one may come before another
// that was due earlier. What is set meanwhile comes after all of them.
function nextOfLateLoop() {
  const due = [...clock.timers.values()].filter((timer) => timer.callAt <= clock.now);
  const isImmediate = (timer) => timer.type === 'Immediate';
  if (pass === null) {
    const immediate = due.filter(isImmediate).sort((a, b) => a.id - b.id)[0];
    if (immediate !== undefined) return immediate;
    pass = { last: Math.max(...due.map((timer) => timer.id)), length: null };
  }
  const left = due.filter((timer) => !isImmediate(timer) && timer.id <= pass.last && timer.fired !== pass);
  const inOrder = (timers) => timers.sort((a, b) => a.callAt - b.callAt || a.id - b.id)[0];
  const next = inOrder(left.filter((timer) => lengthOf(timer) === pass.length)) ?? inOrder(left);
  if (next === undefined) {
    pass = null;
    return null;
  }
  pass.length = lengthOf(next);
  next.fired = pass; // an interval that is set again is not due again in this pass
  return next;
}

const lengthOf = (timer) => timer.interval ?? timer.delay;

// Fires this timer, which need not be the first. An interval goes on from now, as Node has it.
function fire(timer) {
  moveTo(timer, 0); // before all others; time stays what it is
  try {
    clock.next();
  } finally {
    const again = timer.type === 'Interval' && clock.timers.get(timer.id) === timer;
    if (again && timer.callAt === timer.interval) moveTo(timer, clock.now + timer.interval);
  }
}

function moveTo(timer, ms) {
  clock.timerHeap.remove(timer);
  timer.callAt = ms;
  clock.timerHeap.push(timer);
}

export function deadline() {
  const first = earliest();
  return first === null ? null : nsOf(first.callAt);
}

// The next times for which timers are set behind the deadline; undefined if none are.
export function later() {
  const times = new Set([...(clock.timers?.values() ?? [])].map((timer) => nsOf(timer.callAt)));
  return times.size < 2 ? undefined : [...times].sort((a, b) => a - b).slice(1, 4);
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
