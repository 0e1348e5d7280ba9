// async-mutex 0.5.0: withTimeout hands its time on to setTimeout, which takes more than 2^31 - 1 ms (24 days) for 1 ms: a
// long patience is none. Clause X-23, extreme durations.
//
//     $ node findings/async_mutex_long_timeout.mjs
//     (node:...) TimeoutOverflowWarning: 2147483648 does not fit into a 32-bit signed integer.
//     Timeout duration was set to 1.
//     after 24 days of patience: timed out at once
import { E_TIMEOUT, Semaphore, withTimeout } from 'async-mutex';

const semaphore = new Semaphore(1);
await semaphore.acquire();
await withTimeout(semaphore, 2 ** 31)
  .acquire()
  .catch((error) => console.log(`after 24 days of patience: ${error === E_TIMEOUT ? 'timed out at once' : error}`));
