//! `async_channel::bounded`.
use assay_testee::{catch, Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use async_channel::{bounded, Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError};

pub const OFFER: Offer = Offer {
    name: "async_channel",
    contract: "bounded_queue",
    features: &["try", "timed", "close", "reject_zero"],
    cites: "async-channel 1.8.0, docs.rs/async-channel/1.8.0: bounded (\"Capacity must be a positive number. If cap is \
            zero, this function will panic\"), Sender::try_send, Receiver::try_recv, Sender::close (\"The remaining \
            messages can still be received\"), Sender::send and Receiver::recv (\"If the channel is closed, this method \
            returns an error\"); timed is tokio 1.24.2, tokio::time::timeout (\"Otherwise, an error is returned and the \
            future is canceled\")",
    make,
};

struct Channel {
    env: Env,
    sender: Sender<i64>,
    receiver: Receiver<i64>,
}

fn make(env: &Env, config: &Args) -> Made {
    let capacity = super::capacity(config)?;
    let (sender, receiver) = catch(|| bounded(capacity)).map_err(Outcome::Rejected)?;
    Ok(Box::new(Channel { env: env.clone(), sender, receiver }))
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
        Err(RecvError) => Outcome::Closed,
    }
}

impl Subject for Channel {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        let sender = self.sender.clone();
        let receiver = self.receiver.clone();
        let env = self.env.clone();
        Ok(match method {
            "push" => {
                let item = args.int("item")?;
                Answer::later(async move { sent(sender.send(item).await) })
            }
            "pop" => Answer::later(async move { received(receiver.recv().await) }),
            "size" => Answer::value(receiver.len()),
            "push_for" => {
                let item = args.int("item")?;
                let patience = args.duration("patience")?;
                Answer::later(async move {
                    env.timeout(patience, sender.send(item)).await.map_or(Outcome::TimedOut, sent)
                })
            }
            "pop_for" => {
                let patience = args.duration("patience")?;
                Answer::later(async move {
                    env.timeout(patience, receiver.recv()).await.map_or(Outcome::TimedOut, received)
                })
            }
            "try_push" => match sender.try_send(args.int("item")?) {
                Ok(()) => Answer::value(true),
                Err(TrySendError::Full(_)) => Answer::value(false),
                Err(TrySendError::Closed(_)) => Answer::Now(Outcome::Closed),
            },
            "try_pop" => match receiver.try_recv() {
                Ok(item) => Answer::value(item),
                Err(TryRecvError::Empty) => Answer::done(),
                Err(TryRecvError::Closed) => Answer::Now(Outcome::Closed),
            },
            "close" => {
                sender.close();
                Answer::done()
            }
            _ => Answer::unknown(method),
        })
    }
}
