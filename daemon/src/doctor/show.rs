//! Findings for people.

use std::fmt::Write;

use super::{Finding, Level};
use crate::config::Config;

/// What `jarvisd --check` prints of a configuration that could be read.
pub fn checked(config: &Config, findings: &[Finding]) -> String {
    let bad: Vec<Finding> = findings.iter().filter(|f| f.level != Level::Good).cloned().collect();
    let mut out = String::new();
    let summary = config.summary();
    let width = summary.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in &summary {
        line(&mut out, format_args!("  {name:<width$}  {value}"));
    }
    out.push('\n');
    out.push_str(&listed(&bad));
    out
}

/// Findings, the bad ones with their remedies, and a last line that sums up.
pub fn listed(findings: &[Finding]) -> String {
    let mut out = String::new();
    let width = findings.iter().map(|f| f.part.len()).max().unwrap_or(0);
    for f in findings {
        let sign = match f.level {
            Level::Good => "ok  ",
            Level::Note => "note",
            Level::Problem => "BAD ",
        };
        line(&mut out, format_args!("  {sign}  {:<width$}  {}", f.part, printable(&f.what)));
        if !f.remedy.is_empty() {
            line(&mut out, format_args!("        {:<width$}  -> {}", "", printable(&f.remedy)));
        }
    }
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    let (problems, notes) = (count(Level::Problem), count(Level::Note));
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let verdict = match (problems, notes) {
        (0, 0) => "All is well.".to_owned(),
        (0, n) => format!("Nothing is wrong; {}.", plural(n, "note")),
        (p, 0) => format!("{}.", plural(p, "problem")),
        (p, n) => format!("{}, {}.", plural(p, "problem"), plural(n, "note")),
    };
    line(&mut out, format_args!("{verdict}"));
    out
}

/// Names come from the cluster and the network: what would move a terminal's cursor is left out.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    if writeln!(out, "{text}").is_err() {
        out.push('\n');
    }
}
