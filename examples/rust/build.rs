//! Generates the client from the protos. protox compiles them in Rust, so that no protoc is needed.

use std::{error::Error, fs, path::PathBuf};

const PROTO: &str = "../../proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO}");
    let files = fs::read_dir(format!("{PROTO}/portway/v1"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<PathBuf>, std::io::Error>>()?;
    tonic_prost_build::configure()
        .build_server(false)
        .include_file("api.rs")
        .compile_fds(protox::compile(files, [PROTO])?)?;
    Ok(())
}
