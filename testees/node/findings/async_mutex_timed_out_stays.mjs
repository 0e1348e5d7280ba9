// async-mutex 0.5.0: a request of withTimeout that has timed out stays in the line until it is served, and is given back
// then. As long as it wants more than is free, it stops everybody behind it. Clause SEM-4.
//
//     $ node findings/async_mutex_timed_out_stays.mjs
//     timed out
//     1 of 2 is free, and the request for 1 waits
import { E_TIMEOUT, Semaphore, withTimeout } from 'async-mutex';
import { setTimeout as sleep } from 'node:timers/promises';

const semaphore = new Semaphore(2);
await semaphore.acquire(1);

let served = false;
const large = withTimeout(semaphore, 10).acquire(2);
semaphore.acquire(1).then(() => (served = true));
await large.catch((error) => console.log(error === E_TIMEOUT ? 'timed out' : error));
await sleep(10);
console.log(`${semaphore.getValue()} of 2 is free, and the request for 1 ${served ? 'was served' : 'waits'}`);
