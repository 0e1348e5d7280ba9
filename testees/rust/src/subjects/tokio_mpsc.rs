//! `tokio::sync::mpsc::channel`. Its one receiver is shared as tokio's documentation shares anything across an await:
//! behind `tokio::sync::Mutex`.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use assay_testee::{catch, Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use tokio::sync::mpsc::error::{SendError, TryRecvError, TrySendError};
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio::sync::Mutex;

pub const OFFER: Offer = Offer {
    name: "tokio_mpsc",
    contract: "bounded_queue",
    features: &["fair", "try", "timed", "close", "close_completes_parked", "reject_zero"],
    cites: "tokio 1.24.2, docs.rs/tokio/1.24.2: sync::mpsc::channel (\"Panics if the buffer capacity is 0\"), \
            mpsc::Sender::send (\"This channel uses a queue to ensure that calls to send and reserve complete in the \
            order they were requested\"; Cancel safety: \"it is guaranteed that the message was not sent\"), \
            mpsc::Receiver::recv (Cancel safety: \"it is guaranteed that no messages were received\"; \"None if the \
            channel has been closed and there are no remaining messages\"), Sender::try_send, Receiver::try_recv; \
            sync::Mutex::lock (\"fairly distribute locks in the order they were requested\"); close is dropping the last \
            sender, and a pending send has one; timed is time::timeout",
    make,
};

struct Channel {
    env: Env,
    /// None once closed: the channel closes when its last sender is dropped.
    sender: Option<Sender<i64>>,
    receiver: Arc<Mutex<Receiver<i64>>>,
    /// Sent and not received. The channel itself tells it to its senders only, so when it is closed to nobody.
    buffered: Arc<AtomicUsize>,
}

fn make(env: &Env, config: &Args) -> Made {
    let capacity = super::capacity(config)?;
    let (sender, receiver) = catch(|| channel(capacity)).map_err(Outcome::Rejected)?;
    Ok(Box::new(Channel {
        env: env.clone(),
        sender: Some(sender),
        receiver: Arc::new(Mutex::new(receiver)),
        buffered: Arc::default(),
    }))
}

impl Channel {
    fn sender(&self) -> Result<Sender<i64>, Fault> {
        self.sender.clone().ok_or_else(|| Outcome::Closed.into())
    }

    fn size(&self) -> usize {
        match &self.sender {
            Some(sender) => sender.max_capacity() - sender.capacity(),
            None => self.buffered.load(Ordering::Relaxed),
        }
    }
}

async fn push(sender: Sender<i64>, item: i64, buffered: Arc<AtomicUsize>) -> Outcome {
    match sender.send(item).await {
        Ok(()) => {
            buffered.fetch_add(1, Ordering::Relaxed);
            Outcome::done()
        }
        Err(SendError(_)) => Outcome::Closed,
    }
}

async fn pop(receiver: Arc<Mutex<Receiver<i64>>>, buffered: Arc<AtomicUsize>) -> Outcome {
    let received = receiver.lock().await.recv().await;
    match received {
        Some(item) => {
            buffered.fetch_sub(1, Ordering::Relaxed);
            Outcome::value(item)
        }
        None => Outcome::Closed,
    }
}

fn try_pop(receiver: &Mutex<Receiver<i64>>, buffered: &AtomicUsize) -> Outcome {
    let mut receiver = match receiver.try_lock() {
        Ok(receiver) => receiver,
        Err(_) => return Outcome::done(), // somebody is before us
    };
    match receiver.try_recv() {
        Ok(item) => {
            buffered.fetch_sub(1, Ordering::Relaxed);
            Outcome::value(item)
        }
        Err(TryRecvError::Empty) => Outcome::done(),
        Err(TryRecvError::Disconnected) => Outcome::Closed,
    }
}

impl Subject for Channel {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        let receiver = self.receiver.clone();
        let buffered = self.buffered.clone();
        let env = self.env.clone();
        Ok(match method {
            "push" => Answer::later(push(self.sender()?, args.int("item")?, buffered)),
            "pop" => Answer::later(pop(receiver, buffered)),
            "size" => Answer::value(self.size()),
            "push_for" => {
                let pushing = push(self.sender()?, args.int("item")?, buffered);
                let patience = args.duration("patience")?;
                Answer::later(
                    async move { env.timeout(patience, pushing).await.unwrap_or(Outcome::TimedOut) },
                )
            }
            "pop_for" => {
                let popping = pop(receiver, buffered);
                let patience = args.duration("patience")?;
                Answer::later(
                    async move { env.timeout(patience, popping).await.unwrap_or(Outcome::TimedOut) },
                )
            }
            "try_push" => match self.sender()?.try_send(args.int("item")?) {
                Ok(()) => {
                    buffered.fetch_add(1, Ordering::Relaxed);
                    Answer::value(true)
                }
                Err(TrySendError::Full(_)) => Answer::value(false),
                Err(TrySendError::Closed(_)) => Answer::Now(Outcome::Closed),
            },
            "try_pop" => Answer::Now(try_pop(&receiver, &buffered)),
            "close" => {
                self.sender = None;
                Answer::done()
            }
            _ => Answer::unknown(method),
        })
    }
}
