// Timeouts of any length: setTimeout takes what is more than 2^31 - 1 ms (24 days) for 1 ms.
const longest_ms = 2 ** 31 - 1;

// Calls `callback` when a duration of the protocol has passed, and not before; never, if it is null, which is without
// limit. What is returned forgets it.
export function after(ns, callback) {
  if (ns === null) return () => {};
  let timer = null;
  const wait = (left_ms) => {
    const now_ms = Math.min(left_ms, longest_ms);
    timer = setTimeout(() => (left_ms > now_ms ? wait(left_ms - now_ms) : callback()), now_ms);
  };
  wait(Math.max(0, Math.ceil(ns / 1e6)));
  return () => clearTimeout(timer);
}
