//! `tokio::sync::broadcast` with one receiver: what it has not read when the ring comes round again is gone.
use std::collections::VecDeque;
use std::sync::{Arc, Mutex as Shared};

use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use serde_json::json;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{channel, Receiver, Sender};
use tokio::sync::Mutex;

pub const OFFER: Offer = Offer {
    name: "tokio_broadcast",
    contract: "dropping_channel",
    features: &["oldest", "lag_report", "try", "timed", "close"],
    cites: "tokio 1.24.2, docs.rs/tokio/1.24.2: sync::broadcast (\"If a value is sent when the channel is at capacity, the oldest \
            value currently held by the channel is released. This frees up space for the new value\"; RecvError::Lagged: \"the \
            number of skipped messages\", and the receiver's position is then the oldest value contained by the channel); channel \
            rounds the capacity up to a power of two; try_recv, Receiver::len; close is dropping the sender (\"When all Sender \
            handles have been dropped, no new values may be sent\"); timed is time::timeout",
    make,
};

/// What it sent, and the receiver has not come to: a library that drops in silence says later how many these were.
type Sent = Arc<Shared<VecDeque<i64>>>;

struct Adapter {
    env: Env,
    capacity: usize,
    sender: Option<Sender<i64>>,
    receiver: Arc<Mutex<Receiver<i64>>>,
    sent: Sent,
}

fn make(env: &Env, config: &Args) -> Made {
    let capacity = super::capacity(config)?;
    if capacity == 0 {
        return Err(Outcome::Rejected("the capacity 0 panics".into()).into());
    }
    let (sender, receiver) = channel(capacity);
    Ok(Box::new(Adapter {
        env: env.clone(),
        capacity: capacity.next_power_of_two(),
        sender: Some(sender),
        receiver: Arc::new(Mutex::new(receiver)),
        sent: Sent::default(),
    }))
}

/// The items before this one were dropped.
fn came_to(item: i64, sent: &Sent, env: &Env) {
    let mut sent = sent.lock().unwrap();
    while let Some(first) = sent.pop_front() {
        if first == item {
            return;
        }
        env.tell("dropped", json!({ "item": first }));
    }
}

async fn receive(receiver: Arc<Mutex<Receiver<i64>>>, sent: Sent, env: Env, counts: bool) -> Outcome {
    let mut receiver = receiver.lock().await;
    let mut lost = 0;
    loop {
        match receiver.recv().await {
            Ok(item) => {
                came_to(item, &sent, &env);
                return if counts {
                    Outcome::value(json!({ "one": item, "lost": lost }))
                } else {
                    Outcome::value(item)
                };
            }
            Err(RecvError::Lagged(skipped)) => lost += skipped,
            Err(RecvError::Closed) => return Outcome::Closed,
        }
    }
}

impl Adapter {
    fn receiving(&self, counts: bool) -> impl std::future::Future<Output = Outcome> + Send + 'static {
        receive(self.receiver.clone(), self.sent.clone(), self.env.clone(), counts)
    }

    fn try_receive(&self) -> Outcome {
        let Ok(mut receiver) = self.receiver.try_lock() else { return Outcome::done() };
        loop {
            match receiver.try_recv() {
                Ok(item) => {
                    came_to(item, &self.sent, &self.env);
                    return Outcome::value(item);
                }
                Err(TryRecvError::Lagged(_)) => (),
                Err(TryRecvError::Empty) => return Outcome::done(),
                Err(TryRecvError::Closed) => return Outcome::Closed,
            }
        }
    }
}

impl Subject for Adapter {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        Ok(match method {
            "send" => {
                let item = args.int("item")?;
                let sender = self.sender.as_ref().ok_or(Outcome::Closed)?;
                self.sent.lock().unwrap().push_back(item);
                sender.send(item).expect("there is a receiver");
                Answer::value("accepted")
            }
            "receive" => Answer::later(self.receiving(false)),
            "receive_counted" => Answer::later(self.receiving(true)),
            "receive_for" => {
                let limited = self.env.timeout(args.duration("patience")?, self.receiving(false));
                Answer::later(async move { limited.await.unwrap_or(Outcome::TimedOut) })
            }
            "try_receive" => Answer::Now(self.try_receive()),
            // Who waits has read everything.
            "size" => Answer::value(self.receiver.try_lock().map_or(0, |held| held.len().min(self.capacity))),
            "close" => {
                self.sender = None;
                Answer::done()
            }
            _ => Answer::unknown(method),
        })
    }
}
