//! A subject of no contract, which does whatever a test of the helper wants to see done.
use std::future::{self, Future};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use serde_json::json;

pub const OFFER: Offer =
    Offer { name: "probe", contract: "probe", features: &["all"], cites: "itself", make };

struct Probe {
    env: Env,
    fragile: bool,
}

fn make(env: &Env, config: &Args) -> Made {
    match config.text("how")? {
        "well" => Ok(Box::new(Probe { env: env.clone(), fragile: false })),
        "fragile" => Ok(Box::new(Probe { env: env.clone(), fragile: true })),
        "rejected" => Err(Outcome::Rejected("as configured".into()).into()),
        _ => panic!("as configured"),
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.env.tell("gone", json!({}));
        if self.fragile {
            panic!("broken");
        }
    }
}

/// Is ready again at once, `left` times, and tells each.
struct Steps {
    env: Env,
    name: String,
    left: i64,
}

impl Future for Steps {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        if self.left == 0 {
            return Poll::Ready(Outcome::done());
        }
        self.env.tell("step", json!({"of": self.name, "left": self.left}));
        self.left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Never comes to rest.
struct Spin;

impl Future for Spin {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

async fn yields(env: Env, name: String, times: i64) -> Outcome {
    for left in (1..=times).rev() {
        env.tell("step", json!({"of": name, "left": left}));
        tokio::task::yield_now().await;
    }
    Outcome::done()
}

impl Subject for Probe {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        let env = self.env.clone();
        Ok(match method {
            "echo" => Answer::value(args.text("text")?),
            "now" => Answer::value(u64::try_from(env.now().as_nanos()).unwrap()),
            "closed" => Err(Outcome::Closed)?,
            "sleep" => {
                let nap = args.duration("for")?.unwrap_or_default();
                Answer::later(async move {
                    env.sleep(nap).await;
                    Outcome::done()
                })
            }
            "time_out" => {
                let patience = args.duration("for")?;
                Answer::later(async move {
                    env.timeout(patience, future::pending()).await.unwrap_or(Outcome::TimedOut)
                })
            }
            "ask" => Answer::later(env.callback("step", json!({ "step": args.int("step")? }))),
            "steps" => {
                let (name, left) = (args.text("name")?.to_string(), args.int("count")?);
                Answer::later(Steps { env, name, left })
            }
            "yields" => Answer::later(yields(env, args.text("name")?.to_string(), args.int("count")?)),
            "wait" => Answer::later(future::pending()),
            "spawn" => {
                tokio::spawn(env.task("a child", future::pending::<()>()));
                Answer::done()
            }
            "spawn_short" => {
                tokio::spawn(env.task("a short child", future::ready(())));
                Answer::done()
            }
            "unhandled" => {
                env.unhandled(&Outcome::Error("nobody's".into()));
                Answer::done()
            }
            "panic" => panic!("at once"),
            "panic_later" => Answer::later(async { panic!("later") }),
            "panic_when_dropped" => {
                let guard = PanicsWhenDropped;
                Answer::later(async move {
                    future::pending::<()>().await;
                    drop(guard);
                    Outcome::done()
                })
            }
            "watch_nothing" => Answer::later(env.watch(Duration::from_millis(1), future::pending())),
            "spin" => Answer::later(Spin),
            "print" => {
                println!("{}", args.text("text")?);
                Answer::done()
            }
            _ => Answer::unknown(method),
        })
    }
}
