// Bottleneck 2.19.5: stop({dropWaitingJobs: false}) is itself a job of the limiter, of weight 0. Where more jobs run than
// maxConcurrent allows (it was lowered) beside a full queue, that job is dropped, and stop() rejects; but the limiter has
// stopped, and refuses a second stop(). README: "allow those jobs to complete before resolving the Promise".
//
//     $ node findings/bottleneck_stop_of_a_full_queue.mjs
//     stop(): This job has been dropped by Bottleneck
//     schedule(): This limiter has been stopped and cannot accept new jobs.
//     stop() again: stop() has already been called
//     the job that waited: done
import Bottleneck from 'bottleneck';
import { setTimeout as sleep } from 'node:timers/promises';

const limiter = new Bottleneck({ maxConcurrent: 2, highWater: 1, strategy: Bottleneck.strategy.OVERFLOW });
const message = (error) => error.message;

for (let i = 0; i < 2; ++i) {
  limiter.schedule(() => sleep(50));
  await sleep(5);
}
await limiter.updateSettings({ maxConcurrent: 1 });
const waiting = limiter.schedule(async () => 'done');
await sleep(5);
console.log(`stop(): ${await limiter.stop({ dropWaitingJobs: false }).catch(message)}`);
console.log(`schedule(): ${await limiter.schedule(async () => 'done').catch(message)}`);
console.log(`stop() again: ${await limiter.stop({ dropWaitingJobs: false }).catch(message)}`);
console.log(`the job that waited: ${await waiting}`);
