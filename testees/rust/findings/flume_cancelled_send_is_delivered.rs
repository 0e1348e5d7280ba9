//! A `send_async` that is cancelled while it waits may have sent its message all the same, and nobody learns which.
//!
//! A receiver that makes room takes the message of a waiting sender into the buffer, and the `SendFut` only learns of it
//! when it is polled again. Dropped before that, it has ended without `Ok`, and the message is delivered later.
//! Known: <https://github.com/zesterer/flume/issues/104> (open: which guarantee there is, is not documented). Seen in
//! flume 0.10.14; tokio's and async-channel's senders commit when they are polled. Clauses X-2, BQ-4, BQ-6.
use std::time::Duration;

use tokio::time::timeout;

const SOON: Duration = Duration::from_millis(1);

async fn with_flume() {
    let (sender, receiver) = flume::bounded(1);
    sender.send_async(1).await.unwrap();
    let mut second = Box::pin(sender.send_async(2));
    assert!(timeout(SOON, &mut second).await.is_err(), "a send into a full channel waits");
    assert_eq!(receiver.recv_async().await, Ok(1));
    drop(second); // cancelled before it is polled again, as by select!
    println!("flume          the cancelled send left {:?}", receiver.try_recv());
}

async fn with_async_channel() {
    let (sender, receiver) = async_channel::bounded(1);
    sender.send(1).await.unwrap();
    let mut second = Box::pin(sender.send(2));
    assert!(timeout(SOON, &mut second).await.is_err(), "a send into a full channel waits");
    assert_eq!(receiver.recv().await, Ok(1));
    drop(second);
    println!("async_channel  the cancelled send left {:?}", receiver.try_recv());
}

async fn with_tokio() {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    sender.send(1).await.unwrap();
    let mut second = Box::pin(sender.send(2));
    assert!(timeout(SOON, &mut second).await.is_err(), "a send into a full channel waits");
    assert_eq!(receiver.recv().await, Some(1));
    drop(second);
    println!("tokio mpsc     the cancelled send left {:?}", receiver.try_recv());
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        with_flume().await;
        with_async_channel().await;
        with_tokio().await;
    });
}
