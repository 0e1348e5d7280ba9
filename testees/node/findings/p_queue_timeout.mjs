// p-queue 9.3.5: a task that times out goes on, and its place is free: more tasks run than concurrency allows. That is
// why the adapter does not claim job_timeout, which ends the job (WPL-10).
//
//     $ node findings/p_queue_timeout.mjs
//     concurrency 1, running at most: 3; aborted: false
import PQueue from 'p-queue';
import { setTimeout as sleep } from 'node:timers/promises';

const queue = new PQueue({ concurrency: 1, timeout: 10 });
let running = 0;
let most = 0;
let aborted = false;

for (let i = 0; i < 3; ++i) {
  queue
    .add(async ({ signal }) => {
      most = Math.max(most, ++running);
      await sleep(100);
      aborted ||= signal?.aborted ?? false;
      --running;
    })
    .catch(() => {});
}
await sleep(200);
console.log(`concurrency 1, running at most: ${most}; aborted: ${aborted}`);
