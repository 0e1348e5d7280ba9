//! A testee that hosts only the probe: for what needs a process of its own.
#[path = "probe.rs"]
mod probe;

use std::process::ExitCode;

use assay_testee::Testee;

fn main() -> ExitCode {
    Testee::new("probe").subject(probe::OFFER).main()
}
