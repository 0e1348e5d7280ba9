//! `tokio::sync::watch`: a channel that keeps the latest value.
use std::future::Future;
use std::sync::{Arc, Mutex as Shared};

use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use serde_json::json;
use tokio::sync::watch::{channel, Receiver, Sender};
use tokio::sync::Mutex;

pub const OFFER: Offer = Offer {
    name: "tokio_watch",
    contract: "dropping_channel",
    features: &["conflate", "timed", "close"],
    cites: "tokio 1.24.2, docs.rs/tokio/1.24.2: sync::watch (\"A single-producer, multi-consumer channel that only retains the last \
            sent value\"), Receiver::changed (\"If the newest value in the channel has not yet been marked seen when this method is \
            called, the method marks that value seen and returns immediately\"; an error once the sender is dropped and the newest \
            value is seen; cancel safe), borrow_and_update; close is dropping the sender; timed is time::timeout",
    make,
};

struct Adapter {
    env: Env,
    sender: Option<Sender<i64>>,
    receiver: Arc<Mutex<Receiver<i64>>>,
    unseen: Arc<Shared<Option<i64>>>,
}

fn make(env: &Env, config: &Args) -> Made {
    if super::capacity(config)? == 0 {
        return Err(Outcome::Rejected("there is always one value".into()).into());
    }
    let (sender, receiver) = channel(0);
    Ok(Box::new(Adapter {
        env: env.clone(),
        sender: Some(sender),
        receiver: Arc::new(Mutex::new(receiver)),
        unseen: Arc::default(),
    }))
}

impl Adapter {
    fn receiving(&self) -> impl Future<Output = Outcome> + Send + 'static {
        let (receiver, unseen) = (self.receiver.clone(), self.unseen.clone());
        async move {
            let mut receiver = receiver.lock().await;
            if receiver.changed().await.is_err() {
                return Outcome::Closed;
            }
            let item = *receiver.borrow_and_update();
            *unseen.lock().unwrap() = None;
            Outcome::value(item)
        }
    }
}

impl Subject for Adapter {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        Ok(match method {
            "send" => {
                let item = args.int("item")?;
                let sender = self.sender.as_ref().ok_or(Outcome::Closed)?;
                sender.send(item).expect("there is a receiver");
                if let Some(before) = self.unseen.lock().unwrap().replace(item) {
                    self.env.tell("dropped", json!({ "item": before }));
                }
                Answer::value("accepted")
            }
            "receive" => Answer::later(self.receiving()),
            "receive_for" => {
                let limited = self.env.timeout(args.duration("patience")?, self.receiving());
                Answer::later(async move { limited.await.unwrap_or(Outcome::TimedOut) })
            }
            "size" => Answer::value(usize::from(self.unseen.lock().unwrap().is_some())),
            "close" => {
                self.sender = None;
                Answer::done()
            }
            _ => Answer::unknown(method),
        })
    }
}
