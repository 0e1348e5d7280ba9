use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::os::unix::io::FromRawFd;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use serde_json::{json, Map, Value};

use crate::trial::Trial;
use crate::Offer;

const PROTOCOL_OLDEST: u64 = 1;
const PROTOCOL_NEWEST: u64 = 2;
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A program that hosts subjects behind the protocol.
pub struct Testee {
    name: String,
    libraries: Map<String, Value>,
    offers: Vec<Offer>,
}

impl Testee {
    /// `name` is letters, digits, `_` and `-`; the subjects are `name.SUBJECT`.
    pub fn new(name: &str) -> Self {
        Testee { name: name.to_string(), libraries: Map::new(), offers: Vec::new() }
    }

    /// Tells the version of a library, for reports.
    pub fn library(mut self, name: &str, version: &str) -> Self {
        self.libraries.insert(name.to_string(), version.into());
        self
    }

    /// Hosts one more subject.
    pub fn subject(mut self, offer: Offer) -> Self {
        self.offers.push(offer);
        self
    }

    /// Speaks the protocol over standard input and output, to be returned from `main`. Whatever else prints goes to
    /// standard error.
    pub fn main(&self) -> ExitCode {
        let output = match take_standard_output() {
            Ok(output) => output,
            Err(error) => {
                eprintln!("no standard output: {error}");
                return ExitCode::FAILURE;
            }
        };
        match self.serve(io::stdin().lock(), output) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("the harness is gone: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Speaks the protocol until `input` ends. False if that was because of a mistake, which has been told.
    pub fn serve(&self, mut input: impl BufRead, mut output: impl Write) -> io::Result<bool> {
        let mut trial = None;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(true);
            }
            let answer = parse(&line).and_then(|message| self.answer(&mut trial, &message));
            let mut told = answer.clone().unwrap_or_else(|mistake| json!({ "error": mistake })).to_string();
            told.push('\n');
            output.write_all(told.as_bytes())?;
            output.flush()?;
            if answer.is_err() {
                return Ok(false);
            }
        }
    }

    fn answer(&self, trial: &mut Option<Trial>, message: &Value) -> Result<Value, String> {
        if let Some(hello) = message.get("hello") {
            return self.hello(hello);
        }
        if let Some(begin) = message.get("begin") {
            let number = begin["trial"].as_u64().ok_or("a trial without a number")?;
            // The old one first: two at a time are none of a library's business.
            throw_away(trial);
            *trial = Some(Trial::new(number));
            return Ok(json!({"begun": {"trial": number}}));
        }
        if let Some(instant) = message.get("instant") {
            let current = the_trial(trial, instant)?;
            let now = instant["now"].as_u64().ok_or("an instant without its time")?;
            let run = instant["run"].as_bool().ok_or("an instant that does not say whether to run")?;
            let commands = instant["commands"].as_array().ok_or("an instant without commands")?;
            let mut answer = current.instant(now, run, commands, &self.offers)?;
            answer["trial"] = current.number.into();
            answer["number"] = instant["number"].clone();
            return Ok(json!({ "instant": answer }));
        }
        if let Some(end) = message.get("end") {
            let current = the_trial(trial, end)?;
            let answer = json!({"ended": {"trial": current.number, "left": current.end()?}});
            throw_away(trial);
            return Ok(answer);
        }
        Err(format!("no such message: {message}"))
    }

    fn hello(&self, hello: &Value) -> Result<Value, String> {
        // The harness speaks all from `protocol` to `newest`.
        let oldest = hello["protocol"].as_u64().unwrap_or(0);
        let newest = hello["newest"].as_u64().unwrap_or(oldest);
        if oldest > PROTOCOL_NEWEST || newest < PROTOCOL_OLDEST {
            return Err(format!(
                "the protocol is {PROTOCOL_OLDEST} to {PROTOCOL_NEWEST} here, not {oldest} to {newest}"
            ));
        }
        let subjects: Vec<Value> = self
            .offers
            .iter()
            .map(|offer| {
                json!({"name": offer.name, "contract": offer.contract, "features": offer.features, "cites": offer.cites})
            })
            .collect();
        Ok(json!({"hello": {
            "protocol": newest.min(PROTOCOL_NEWEST),
            "name": self.name,
            "language": format!("Rust {}", env!("ASSAY_RUST_VERSION")),
            "libraries": self.libraries,
            "turns": true,
            "seeded": false,
            "drops": true,
            "looks": true,
            // A dropped future is gone: nobody is there who goes on.
            "checkpoint": false,
            // Tokio's own driver fires all that is due, in order of deadlines, when it comes to look.
            "late": true,
            "subjects": subjects,
        }}))
    }
}

fn the_trial<'a>(trial: &'a mut Option<Trial>, message: &Value) -> Result<&'a mut Trial, String> {
    match trial {
        Some(current) if message["trial"] == current.number => Ok(current),
        _ => Err(format!("there is no trial {}", message["trial"])),
    }
}

/// Silently, whatever it says to that.
fn throw_away(trial: &mut Option<Trial>) {
    let _ = panic::catch_unwind(AssertUnwindSafe(|| *trial = None));
}

fn parse(line: &[u8]) -> Result<Value, String> {
    let text = line.strip_suffix(b"\n").ok_or("a line without an end, or longer than 16 MiB")?;
    serde_json::from_slice(text).map_err(|error| format!("a line that is not JSON: {error}"))
}

/// Standard output, and from now on nobody else's: what is printed goes to standard error.
fn take_standard_output() -> io::Result<File> {
    // SAFETY: plain calls on numbers; the new descriptor belongs to nobody else.
    unsafe {
        let own = libc::fcntl(libc::STDOUT_FILENO, libc::F_DUPFD_CLOEXEC, 3);
        if own < 0 || libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(File::from_raw_fd(own))
    }
}
