//! `tokio::time::timeout`, alone and nested, and `tokio::select!` of two. What loses is dropped: it cannot clean up.
use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use serde_json::json;

pub const OFFER: Offer = Offer {
    name: "tokio_timeout",
    contract: "timeout",
    features: &["joins_work", "value_wins", "fallback", "nested", "race", "owns_operations"],
    cites: "tokio 1.24.2, docs.rs/tokio/1.24.2: time::timeout (\"If the future completes before the duration has elapsed, \
            then the completed value is returned. Otherwise, an error is returned and the future is canceled\"; \
            Cancellation: \"Cancelling a timeout is done by dropping the future\"); select! (\"returning when the first \
            branch completes, cancelling the remaining branches\")",
    make,
};

struct Adapter {
    env: Env,
}

fn make(env: &Env, _config: &Args) -> Made {
    Ok(Box::new(Adapter { env: env.clone() }))
}

impl Subject for Adapter {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        let env = self.env.clone();
        let step = move |work: i64| env.callback("step", json!({ "step": work }));
        Ok(match method {
            "run_for" => {
                let running = self.env.timeout(args.duration("limit")?, step(args.int("work")?));
                Answer::later(async move { running.await.unwrap_or(Outcome::TimedOut) })
            }
            "run_for_or" => {
                let running = self.env.timeout(args.duration("limit")?, step(args.int("work")?));
                Answer::later(async move { in_time(running.await) })
            }
            "run_nested" => {
                let inside = self.env.timeout(args.duration("inner")?, step(args.int("work")?));
                let around = self.env.timeout(args.duration("outer")?, inside);
                Answer::later(async move {
                    match around.await {
                        Ok(inner) => in_time(inner),
                        Err(_) => Outcome::TimedOut,
                    }
                })
            }
            "race" => {
                let mut works = Vec::new();
                for one in args.list("works")? {
                    works.push(step(one.int("id")?));
                }
                let second = works.pop();
                let first = works.pop();
                Answer::later(async move {
                    let (Some(first), Some(second)) = (first, second) else {
                        return Outcome::Rejected("a race of two".into());
                    };
                    // Without `biased` a random branch is polled first, of tokio's own randomness.
                    tokio::select! {
                        biased;
                        ended = first => winner(ended, 0),
                        ended = second => winner(ended, 1),
                    }
                })
            }
            _ => Answer::unknown(method),
        })
    }
}

fn in_time<E>(ended: Result<Outcome, E>) -> Outcome {
    match ended {
        Ok(Outcome::Value(_)) => Outcome::Value(json!(true)),
        Ok(other) => other,
        Err(_) => Outcome::Value(json!(false)),
    }
}

fn winner(ended: Outcome, index: i64) -> Outcome {
    match ended {
        Outcome::Value(_) => Outcome::Value(json!(index)),
        other => other,
    }
}
