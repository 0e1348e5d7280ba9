// p-queue 9.3.5: whoever waits for a task that is aborted while it runs is told so at once, and never how the task has
// ended: neither its value nor its failure. The first is documented ("aborting only rejects the promise returned by
// .add()"); so a failure reaches nobody, not even the hook for unhandled rejections.
//
//     $ node findings/p_queue_abort_hides_the_end.mjs
//     add(): AbortError, the task: done
//     add(): AbortError, the task: failed, the hook: nothing
import PQueue from 'p-queue';
import { setTimeout as sleep } from 'node:timers/promises';

const queue = new PQueue();
let hook = 'nothing';
process.on('unhandledRejection', (error) => (hook = error.message));

async function aborted(end) {
  let task = 'running';
  const controller = new AbortController();
  const added = queue.add(
    async () => {
      await sleep(20); // what cannot be interrupted
      task = end;
      if (end === 'failed') throw new Error('failed');
    },
    { signal: controller.signal },
  );
  await sleep(5);
  controller.abort();
  const told = await added.catch((error) => error.name);
  await sleep(50);
  return `add(): ${told}, the task: ${task}`;
}

console.log(await aborted('done'));
console.log(`${await aborted('failed')}, the hook: ${hook}`);
