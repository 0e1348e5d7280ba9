// p-queue 9.3.5: the README's recipe for backpressure holds for one producer. With several, everyone who waits for
// onSizeLessThan(limit) is let through by the same place that becomes free.
//
//     $ node findings/p_queue_backpressure.mjs
//     limit 2, waiting at most: 6
import PQueue from 'p-queue';
import { setTimeout as sleep } from 'node:timers/promises';

const limit = 2;
const queue = new PQueue({ concurrency: 1 });
let most = 0;

async function producer() {
  for (let i = 0; i < 3; ++i) {
    await queue.onSizeLessThan(limit); // "to avoid having the queue grow beyond a certain size"
    queue.add(() => sleep(5));
    most = Math.max(most, queue.size);
  }
}

await Promise.all(Array.from({ length: 5 }, producer));
console.log(`limit ${limit}, waiting at most: ${most}`);
