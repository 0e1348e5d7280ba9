//! `flume::bounded`, used asynchronously.
use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use flume::{bounded, Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError};

pub const OFFER: Offer = Offer {
    name: "flume",
    contract: "bounded_queue",
    features: &["try", "timed", "close", "close_completes_parked", "rendezvous"],
    cites: "flume 0.10.14, docs.rs/flume/0.10.14: bounded (\"A bounded queue with a maximum capacity of zero will block \
            senders until a receiver is available to take the value\"), Sender::try_send, Receiver::try_recv, \
            Receiver::recv_async (\"returning an error if all senders have been dropped\"), RecvError::Disconnected (\"All \
            senders were dropped and no messages are waiting in the channel\"); close is dropping the last sender, and a \
            pending send has one; timed is tokio 1.24.2, tokio::time::timeout (\"Otherwise, an error is \
            returned and the future is canceled\")",
    make,
};

struct Channel {
    env: Env,
    /// None once closed: flume closes a channel when its last sender is dropped.
    sender: Option<Sender<i64>>,
    receiver: Receiver<i64>,
}

fn make(env: &Env, config: &Args) -> Made {
    let (sender, receiver) = bounded(super::capacity(config)?);
    Ok(Box::new(Channel { env: env.clone(), sender: Some(sender), receiver }))
}

fn sent(result: Result<(), SendError<i64>>) -> Outcome {
    match result {
        Ok(()) => Outcome::done(),
        Err(SendError(_)) => Outcome::Closed,
    }
}

fn received(result: Result<i64, RecvError>) -> Outcome {
    match result {
        Ok(item) => Outcome::value(item),
        Err(RecvError::Disconnected) => Outcome::Closed,
    }
}

impl Channel {
    fn sender(&self) -> Result<Sender<i64>, Fault> {
        self.sender.clone().ok_or_else(|| Outcome::Closed.into())
    }
}

impl Subject for Channel {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        let receiver = self.receiver.clone();
        let env = self.env.clone();
        Ok(match method {
            "push" => {
                let item = args.int("item")?;
                let sending = self.sender()?.into_send_async(item);
                Answer::later(async move { sent(sending.await) })
            }
            "pop" => Answer::later(async move { received(receiver.recv_async().await) }),
            "size" => Answer::value(receiver.len()),
            "push_for" => {
                let item = args.int("item")?;
                let patience = args.duration("patience")?;
                let sending = self.sender()?.into_send_async(item);
                Answer::later(
                    async move { env.timeout(patience, sending).await.map_or(Outcome::TimedOut, sent) },
                )
            }
            "pop_for" => {
                let patience = args.duration("patience")?;
                Answer::later(async move {
                    env.timeout(patience, receiver.recv_async()).await.map_or(Outcome::TimedOut, received)
                })
            }
            "try_push" => match self.sender()?.try_send(args.int("item")?) {
                Ok(()) => Answer::value(true),
                Err(TrySendError::Full(_)) => Answer::value(false),
                Err(TrySendError::Disconnected(_)) => Answer::Now(Outcome::Closed),
            },
            "try_pop" => match receiver.try_recv() {
                Ok(item) => Answer::value(item),
                Err(TryRecvError::Empty) => Answer::done(),
                Err(TryRecvError::Disconnected) => Answer::Now(Outcome::Closed),
            },
            "close" => {
                self.sender = None;
                Answer::done()
            }
            _ => Answer::unknown(method),
        })
    }
}
