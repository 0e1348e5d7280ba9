// @nodeguy/channel 1.0.2, API.md: "The push can be cancelled before completion by calling `cancel` on the returned
// promise." (1) Cancelling one that has completed removes its item all the same, although the push succeeds. (2) A push
// that was cancelled before completion costs a later one its place in a buffer of two.
import Channel from '@nodeguy/channel';

const settle = () => new Promise((resolve) => setImmediate(resolve));

{
  const channel = Channel(1);
  await channel.push(1);
  const push = channel.push(2); // waits for a place
  await settle();
  const first = channel.shift();
  await null; // the library gives 1 to the shift and its place to the push, whose promise is resolved
  push.cancel();
  await first;
  await push; // succeeds
  const next = await Promise.race([channel.shift(), settle().then(() => 'nothing')]);
  console.log(`(1) 2 was pushed, and comes out: ${next}`);
}

{
  const channel = Channel(1);
  const push = channel.push(1);
  await push; // completed, as everybody can see
  push.cancel();
  const next = await Promise.race([channel.shift(), settle().then(() => 'nothing')]);
  console.log(`(1) 1 was pushed, and comes out: ${next}`);
}

{
  const channel = Channel(2);
  await channel.push(1);
  await channel.push(2);
  const cancelled = channel.push(3);
  const fourth = channel.push(4);
  let done = false;
  channel.push(5).then(() => (done = true));
  await settle();
  cancelled.cancel();
  await channel.shift(); // 1
  await fourth;
  await channel.shift(); // 2; only 4 is left in a buffer for two
  await settle();
  console.log(`(2) one item in a buffer for two, a push ${done ? 'has a place' : 'waits'}`);
}
