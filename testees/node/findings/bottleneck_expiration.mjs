// Bottleneck 2.19.5: a job that expires goes on, and its place is free: more jobs run than maxConcurrent allows. That is
// why the adapter does not claim job_timeout, which ends the job (WPL-10).
//
//     $ node findings/bottleneck_expiration.mjs
//     maxConcurrent 1, running at most: 3
import Bottleneck from 'bottleneck';
import { setTimeout as sleep } from 'node:timers/promises';

const limiter = new Bottleneck({ maxConcurrent: 1 });
let running = 0;
let most = 0;

for (let i = 0; i < 3; ++i) {
  limiter
    .schedule({ expiration: 10 }, async () => {
      most = Math.max(most, ++running);
      await sleep(100);
      --running;
    })
    .catch(() => {});
}
await sleep(200);
console.log(`maxConcurrent 1, running at most: ${most}`);
