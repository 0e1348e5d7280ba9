//! The testee `rust`: what Debian has of Rust's async libraries, behind Assay's contracts.
mod subjects;

use std::process::ExitCode;

use assay_testee::Testee;

fn main() -> ExitCode {
    let mut testee = Testee::new("rust");
    for library in ["async-channel", "flume", "futures-util", "tokio"] {
        testee = testee.library(library, version_of(library));
    }
    for offer in subjects::all() {
        testee = testee.subject(offer);
    }
    testee.main()
}

/// The version that the manifest pins, which is the one that is linked.
fn version_of(library: &str) -> &'static str {
    let manifest = include_str!("../Cargo.toml");
    let pin = format!("{library} = {{ version = \"=");
    manifest
        .lines()
        .find_map(|line| line.strip_prefix(&pin))
        .and_then(|rest| rest.split('"').next())
        .expect("the manifest pins what is tested")
}
