//! What tokio has for an event: `watch` is a flag that is waited for, `Notify` an auto-reset event.
use std::sync::Arc;

use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use tokio::sync::{watch, Notify};

pub const OFFER: Offer = Offer {
    name: "tokio_watch_and_notify",
    contract: "event",
    features: &["timed", "auto_reset", "fair", "thread_set"],
    cites: "tokio 1.24.2, docs.rs/tokio/1.24.2: sync::watch: \"a channel that only retains the last sent value\", \
            Receiver::changed, borrow_and_update; sync::Notify: notify_one (\"at most one permit may be stored\"), \
            notify_waiters (\"no permit is stored to be used by the next call\"), notified (Cancel safety: \"uses a queue to \
            fairly distribute notifications in the order they were requested\"); timed is time::timeout; both are Sync",
    make,
};

#[derive(Clone)]
enum Event {
    Flag(Arc<watch::Sender<bool>>),
    Signal(Arc<Notify>),
}

struct Adapter {
    env: Env,
    event: Event,
}

fn make(env: &Env, config: &Args) -> Made {
    let event = match config.text("form")? {
        "auto_reset" => Event::Signal(Arc::default()),
        _ => Event::Flag(Arc::new(watch::channel(false).0)),
    };
    Ok(Box::new(Adapter { env: env.clone(), event }))
}

async fn wait(event: Event) -> Outcome {
    match event {
        Event::Signal(signal) => signal.notified().await,
        Event::Flag(flag) => {
            let mut receiver = flag.subscribe();
            while !*receiver.borrow_and_update() {
                receiver.changed().await.expect("the flag has its sender");
            }
        }
    }
    Outcome::done()
}

impl Subject for Adapter {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        let waiting = wait(self.event.clone());
        Ok(match (method, &self.event) {
            ("wait", _) => Answer::later(waiting),
            ("wait_for", _) => {
                let limited = self.env.timeout(args.duration("patience")?, waiting);
                Answer::later(async move { limited.await.unwrap_or(Outcome::TimedOut) })
            }
            ("set" | "set_from_outside", Event::Flag(flag)) => {
                flag.send_replace(true);
                Answer::done()
            }
            ("set" | "set_from_outside", Event::Signal(signal)) => {
                signal.notify_one();
                Answer::done()
            }
            ("is_set", Event::Flag(flag)) => Answer::value(*flag.borrow()),
            ("broadcast", Event::Signal(signal)) => {
                signal.notify_waiters();
                Answer::done()
            }
            _ => Answer::unknown(method),
        })
    }
}
