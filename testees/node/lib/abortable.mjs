// For libraries whose waits cannot be cancelled.

// Waits for `promise`, and gives up when `signal` is aborted: then the signal's reason is thrown. What the promise
// stands for goes on, and a failure of it is not lost: it is for whoever else waits for the promise.
export function abortable(promise, signal) {
  return new Promise((resolve, reject) => {
    const give_up = () => reject(signal.reason);
    if (signal.aborted) give_up();
    signal.addEventListener('abort', give_up, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', give_up));
  });
}
