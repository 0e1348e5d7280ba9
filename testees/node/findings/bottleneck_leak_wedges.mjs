// Bottleneck 2.19.5: with highWater and the default strategy LEAK a limiter can stop for good. A job that is being taken
// from the queue (which takes a turn or two of the event loop) is still its first; a new job that finds the queue full
// drops the oldest, which is this one. Then the place is counted as taken by a job that is gone, and the job behind
// it is taken off the queue instead and lost: its promise never settles.
//
// When the new job has to come depends on turns of the event loop, so this tries one after another. The open issues 189
// (this error, reported with this configuration) and 152 ("Stuck with QUEUED", these counts) do not say how it comes about.
//
//     $ node findings/bottleneck_leak_wedges.mjs
//     a new job 1 turns after a place became free:
//     error event: Invalid job status null, expected QUEUED. Please open an issue at ...
//     afterwards: {"RECEIVED":0,"QUEUED":2,"RUNNING":0,"EXECUTING":0}, running(): 1
//     one more job after that: {"RECEIVED":0,"QUEUED":3,"RUNNING":0,"EXECUTING":0}, running(): 1
import Bottleneck from 'bottleneck';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

async function attempt(turns) {
  let broken = null;
  let finish;
  const limiter = new Bottleneck({ maxConcurrent: 1, minTime: 50, highWater: 2 });
  limiter.on('error', (error) => (broken = error.message));
  const add = () => limiter.schedule(async () => {}).catch(() => {});
  limiter.schedule(() => new Promise((resolve) => (finish = resolve)));
  add();
  add();
  await sleep(30);
  finish();
  for (let i = 0; i < turns; ++i) await turn();
  add();
  await sleep(300); // far more than all jobs need
  if (broken === null) return false;
  const state = async () => `${JSON.stringify(limiter.counts())}, running(): ${await limiter.running()}`;
  console.log(`a new job ${turns} turns after a place became free:\nerror event: ${broken}`);
  console.log(`afterwards: ${await state()}`);
  add();
  await sleep(300);
  console.log(`one more job after that: ${await state()}`);
  return true;
}

for (let round = 0; round < 200; ++round) {
  for (let turns = 0; turns < 4; ++turns) {
    if (await attempt(turns)) process.exit(0);
  }
}
console.log('not met');
