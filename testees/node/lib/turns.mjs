// Runs what can happen at one instant, until nothing more can.
//
// A turn is one round of the microtask queue: what is in it at the beginning of the turn runs, what is put there
// meanwhile is the next turn's. A mark at the end of the queue tells when a round is over. When a round was empty
// the queue is drained, and the next task begins: an immediate or a timer that is due. So a command that waits for
// K turns is done where a program would do it that has awaited K times.
import { promiseHooks } from 'node:v8';
import * as clock from './clock.mjs';
import { Mistake } from './outcomes.mjs';

const tasks_per_instant_max = 100_000;

// Counts what runs, to tell an empty round from others.
let activity = 0;
const count = () => void ++activity;

// The one kind of microtask that the hooks for promises do not see.
globalThis.queueMicrotask = function queueMicrotask(callback) {
  if (typeof callback !== 'function') return clock.realQueueMicrotask(callback);
  return clock.realQueueMicrotask(() => {
    count();
    callback();
  });
};

// Does `commands` with `perform`, each when its turn has come, and runs everything; then calls `then`, in a task of
// its own: whatever was ready has run by then, also Node's look at unhandled rejections. `onThrow` gets what timers
// throw. To be called from a task, not from a microtask: the first commands are done at once.
export function runInstant(commands, perform, onThrow, then) {
  const waiting = commands.map((command) => ({ command, after: command.after ?? 0 }));
  waiting.sort((a, b) => a.after - b.after); // stable
  let turn = 0;
  let tasks = 0;

  const performDue = () => {
    while (waiting.length !== 0 && waiting[0].after <= turn) {
      count();
      perform(waiting.shift().command);
    }
  };

  const task = () => {
    if (++tasks > tasks_per_instant_max) {
      throw new Mistake(`this instant does not end: ${tasks_per_instant_max} timers or immediates have fired`);
    }
    activity = 0;
    if (tasks === 1) {
      performDue();
    } else if (fire(onThrow)) {
      count();
    } else if (waiting.length !== 0) {
      turn = waiting[0].after; // nothing is left to be run
      performDue();
    } else {
      then();
      return;
    }
    if (waiting.length !== 0) countRounds();
    clock.realSetImmediate(task);
  };

  const countRounds = () => {
    const stops = [promiseHooks.onInit(count), promiseHooks.onBefore(count), promiseHooks.onSettled(count)];
    let looked = false;
    const round = () => {
      const was = activity;
      activity = 0;
      if (was !== 0) {
        looked = false;
        ++turn;
        performDue();
      }
      if (waiting.length === 0 || (was === 0 && looked)) {
        for (const stop of stops) stop();
      } else if (was === 0) {
        looked = true;
        process.nextTick(() => clock.realQueueMicrotask(round)); // ticks run once the microtasks are drained
      } else {
        clock.realQueueMicrotask(round);
      }
    };
    clock.realQueueMicrotask(round);
  };

  task();
}

function fire(onThrow) {
  try {
    return clock.fireNext();
  } catch (error) {
    onThrow(error);
    return true;
  }
}

// Lets everything that is ready run, whatever it is, but no timer.
export function drain(then) {
  clock.realSetImmediate(() => clock.realSetImmediate(then));
}
