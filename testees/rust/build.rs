// `hello` tells which compiler built the testee.
use std::env;
use std::process::Command;

fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_string());
    let version = Command::new(rustc).arg("--version").output().expect("rustc tells its version");
    let version = String::from_utf8(version.stdout).expect("the version is text");
    let number = version.split_whitespace().nth(1).unwrap_or("unknown");
    println!("cargo:rustc-env=ASSAY_RUST_VERSION={number}");
    println!("cargo:rerun-if-changed=build.rs");
}
