//! A worked example: a queue of one's own, the adapter for it, and a testee that hosts it. The README tells the story.
use std::process::ExitCode;
use std::sync::Arc;

use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject, Testee};

use shelf::Shelf;

/// What stands for somebody's crate: it knows nothing of Assay.
mod shelf {
    use std::collections::VecDeque;
    use std::sync::{Mutex, PoisonError};

    use tokio::sync::Semaphore;

    /// A bounded queue: one semaphore counts free places, another one things. Both serve in order, and a cancelled wait
    /// for either leaves it as it was.
    pub struct Shelf<T> {
        places: Semaphore,
        things: Semaphore,
        board: Mutex<VecDeque<T>>,
    }

    impl<T> Shelf<T> {
        pub fn new(places: usize) -> Self {
            Shelf { places: Semaphore::new(places), things: Semaphore::new(0), board: Mutex::default() }
        }

        pub async fn put(&self, thing: T) {
            self.places.acquire().await.expect("never closed").forget();
            self.store(thing);
        }

        pub async fn take(&self) -> T {
            self.things.acquire().await.expect("never closed").forget();
            self.fetch()
        }

        pub fn try_put(&self, thing: T) -> Result<(), T> {
            match self.places.try_acquire() {
                Ok(place) => place.forget(),
                Err(_) => return Err(thing),
            }
            self.store(thing);
            Ok(())
        }

        pub fn try_take(&self) -> Option<T> {
            self.things.try_acquire().ok()?.forget();
            Some(self.fetch())
        }

        pub fn len(&self) -> usize {
            self.board.lock().unwrap_or_else(PoisonError::into_inner).len()
        }

        fn store(&self, thing: T) {
            self.board.lock().unwrap_or_else(PoisonError::into_inner).push_back(thing);
            self.things.add_permits(1);
        }

        fn fetch(&self) -> T {
            let thing = self.board.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            self.places.add_permits(1);
            thing.expect("a thing for each permit")
        }
    }
}

// README: from here
const OFFER: Offer = Offer {
    name: "shelf",
    contract: "bounded_queue",
    features: &["try", "timed"],
    cites: "the comments of this file; timed is tokio::time::timeout",
    make,
};

struct Adapter {
    env: Env,
    shelf: Arc<Shelf<i64>>,
}

fn make(env: &Env, config: &Args) -> Made {
    let capacity = usize::try_from(config.int("capacity")?);
    let capacity = capacity.map_err(|_| Outcome::Rejected("a negative capacity".into()))?;
    Ok(Box::new(Adapter { env: env.clone(), shelf: Arc::new(Shelf::new(capacity)) }))
}

impl Subject for Adapter {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        // A future owns what it uses, so that dropping it is all there is to cancelling it.
        let shelf = self.shelf.clone();
        let env = self.env.clone();
        Ok(match method {
            "push" => {
                let item = args.int("item")?;
                Answer::later(async move {
                    shelf.put(item).await;
                    Outcome::done()
                })
            }
            "pop" => Answer::later(async move { Outcome::value(shelf.take().await) }),
            "size" => Answer::value(shelf.len()),
            "push_for" => {
                let item = args.int("item")?;
                let patience = args.duration("patience")?;
                Answer::later(async move {
                    match env.timeout(patience, shelf.put(item)).await {
                        Ok(()) => Outcome::done(),
                        Err(_) => Outcome::TimedOut,
                    }
                })
            }
            "pop_for" => {
                let patience = args.duration("patience")?;
                Answer::later(async move {
                    env.timeout(patience, shelf.take()).await.map_or(Outcome::TimedOut, Outcome::value)
                })
            }
            "try_push" => Answer::value(shelf.try_put(args.int("item")?).is_ok()),
            "try_pop" => Answer::value(shelf.try_take()),
            _ => Answer::unknown(method),
        })
    }
}

fn main() -> ExitCode {
    Testee::new("mine").library("shelf", "0.1.0").subject(OFFER).main()
}
// README: to here
