//! Writes down every result of a place, for whoever looks for the reason of one.

use crate::judge::{Pair, Record, pairs};
use anyhow::Result;
use fs_err as fs;
use std::fmt::Write;
use std::path::PathBuf;
use ukl_repo::ctx::Ctx;

/// Writes the results of a collection at a place beside those at `linux`; where.
pub(crate) fn write(ctx: &Ctx, collection: &str, place: &str, reference: &Record, record: &Record) -> Result<PathBuf> {
    let logs = ctx.cache.root().join("logs");
    fs::create_dir_all(&logs)?;
    let path = logs.join(format!("selftests-{collection}-{place}.txt"));
    fs::write(&path, text(place, reference, record))?;
    Ok(path)
}

/// A line for each result, then the end of what each program printed that has not passed as a whole.
fn text(place: &str, reference: &Record, record: &Record) -> String {
    let mut text = format!("result at {place}; result at linux where it is another\n\n");
    for pair in pairs(reference, record) {
        let Pair { name, reference, outcome } = &pair;
        // Writing to a String cannot fail.
        let _ = match reference == outcome {
            true => writeln!(text, "{name}: {outcome}"),
            false => writeln!(
                text,
                "{name}: {outcome}; {reference} at linux{}",
                if pair.differs() { " DIFFERS" } else { "" }
            ),
        };
    }
    for (name, results) in record.iter().filter(|(_, results)| !results.program.passed()) {
        let _ = writeln!(text, "\n=== {name}: {}\n{}", results.program, results.said);
    }
    text
}
