//! Finds libvosk, which no package manager of Rust or Debian brings.

use std::env;
use std::path::{Path, PathBuf};

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-env-changed=JARVIS_LIBVOSK_DIR");
    let manifest = env::var("CARGO_MANIFEST_DIR").map_err(|e| e.to_string())?;
    let folder = match env::var_os("JARVIS_LIBVOSK_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&manifest).join("../../target/native"),
    };
    let library = folder.join("libvosk.so");
    println!("cargo:rerun-if-changed={}", library.display());
    let Ok(folder) = folder.canonicalize().and_then(|f| library.metadata().map(|_| f)) else {
        return Err(format!(
            "{} is missing: run daemon/models/fetch_libvosk.sh, or name the folder of libvosk.so in JARVIS_LIBVOSK_DIR",
            library.display()
        ));
    };
    println!("cargo:rustc-link-search=native={}", folder.display());
    // Beside the program's folder first, so that a moved target folder still runs; an installed daemon sets LD_LIBRARY_PATH.
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../native:{}", folder.display());
    Ok(())
}
