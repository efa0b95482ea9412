//! What is told at the start follows `quiet` of the file.

use std::process::{Command, Stdio};

/// What a start says that ends because of a directory that is not there, after the file was read.
fn told(line: &str) -> String {
    let name = format!("lb-quiet-{}-{}.cfg", std::process::id(), line.len());
    let path = std::env::temp_dir().join(name);
    // A frontend without timeouts is worth a warning.
    let text = format!(
        "global\n{line}\n pidfile /nonexistent/pid\nfrontend web\n mode http\n bind abns@lb-quiet-{}\n",
        std::process::id()
    );
    std::fs::write(&path, text).expect("a temporary file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lb"));
    let output = command.arg("run").arg("-f").arg(&path).stdin(Stdio::null()).output();
    let _ = std::fs::remove_file(&path);
    let output = output.expect("the program starts");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_file_that_asks_for_quiet_has_its_warnings_kept_back_but_not_what_prevents_the_start() {
    let loud = told("");
    assert!(loud.contains("missing timeouts") && loud.contains("/nonexistent/pid"), "{loud}");
    let quiet = told(" quiet");
    assert!(!quiet.contains("missing timeouts") && quiet.contains("/nonexistent/pid"), "{quiet}");
}
