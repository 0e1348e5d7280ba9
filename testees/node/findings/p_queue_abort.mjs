// p-queue 9.3.5: aborting a task that runs frees its place at once, while the task still cleans up. So more tasks run
// than concurrency allows, and onIdle() ("guarantees that all work from the queue has finished") is too early.
//
//     $ node findings/p_queue_abort.mjs
//     concurrency 1, running at most: 2
//     idle, and still running: 1
import PQueue from 'p-queue';
import { setTimeout as sleep } from 'node:timers/promises';

const queue = new PQueue({ concurrency: 1 });
let running = 0;
let most = 0;

// Heeds its signal, as the README asks, and then has something to put in order.
async function task({ signal }) {
  most = Math.max(most, ++running);
  await sleep(50, undefined, { signal }).catch(() => {});
  await sleep(20); // cleaning up
  --running;
}

const controller = new AbortController();
queue.add(task, { signal: controller.signal }).catch(() => {});
queue.add(task).catch(() => {});
await sleep(10);
controller.abort();
await queue.onIdle();
console.log(`concurrency 1, running at most: ${most}`);

const last = new AbortController();
queue.add(task, { signal: last.signal }).catch(() => {});
await sleep(10);
last.abort();
await queue.onIdle();
console.log(`idle, and still running: ${running}`);
