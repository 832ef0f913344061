//! What became of every row: in one line, and whole as JSON.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use datasets::artifacts::write_atomic;
use engine::{Receipt, Result};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use crate::progress::rows_per_second;

/// How many rejected records are quoted on the terminal.
const QUOTED: usize = 3;

/// The short form: a line of totals, and one for each of the first records that were rejected.
pub(crate) fn short(receipt: &Receipt, elapsed: Duration) -> String {
    let total = receipt.total();
    let shards = receipt.shards.len();
    let mut out = format!(
        "read {} in {} ({}): {} counted, {} rejected; {}\n",
        plural(total.read, "row"),
        plural(shards as u64, "shard"),
        HumanBytes(total.bytes),
        thousands(total.counted),
        thousands(total.rejected),
        rows_per_second(total.read as f64 / elapsed.as_secs_f64().max(1e-9)),
    );
    if receipt.cached > 0 {
        let _ = writeln!(out, "  {} came from the cache, unread", plural(receipt.cached, "shard"));
    }
    let mut quoted = 0;
    for (shard, receipt) in &receipt.shards {
        for rejected in receipt.reasons.iter().take(QUOTED - quoted) {
            let fate = if rejected.fatal { "the rest of the shard is lost" } else { "rejected" };
            let _ = writeln!(out, "  `{}`, {rejected}; {fate}", shard.name());
            quoted += 1;
        }
        if let Some(reason) = receipt.failed.as_ref().filter(|_| receipt.reasons.is_empty()) {
            let _ = writeln!(out, "  `{}` is lost: {reason}", shard.name());
        }
    }
    if total.rejected > quoted as u64 {
        let more = thousands(total.rejected - quoted as u64);
        let _ = writeln!(out, "  and {more} more; `--receipt FILE` tells where and why");
    }
    out
}

/// Writes the whole receipt.
pub(crate) fn write(path: &Path, receipt: &Receipt, elapsed: Duration) -> Result<()> {
    let mut text = format!("{:#}", whole(receipt, elapsed));
    text.push('\n');
    write_atomic(path, text.as_bytes())
}

fn whole(receipt: &Receipt, elapsed: Duration) -> Value {
    let total = receipt.total();
    let shards: Vec<Value> = receipt
        .shards
        .iter()
        .map(|(shard, receipt)| {
            let reasons: Vec<Value> = receipt
                .reasons
                .iter()
                .map(|rejected| {
                    json!({
                        "record": rejected.record,
                        "byte": rejected.byte,
                        "reason": rejected.reason,
                        "fatal": rejected.fatal,
                    })
                })
                .collect();
            json!({
                "path": shard.path,
                "part": shard.part.as_ref().map(|part| [part.start, part.end]),
                "bytes": receipt.bytes,
                "read": receipt.read,
                "rejected": receipt.rejected,
                "reasons": reasons,
                "counted": receipt.counted,
                "failed": receipt.failed,
            })
        })
        .collect();
    json!({
        "read": total.read,
        "rejected": total.rejected,
        "counted": total.counted,
        "bytes": total.bytes,
        "cached_shards": receipt.cached,
        "failed_shards": receipt.failed_shards(),
        "seconds": elapsed.as_secs_f64(),
        "shards": shards,
    })
}

/// A whole number, by thousands.
pub(crate) fn thousands(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}

/// Things by number, such as `1 row` or `2 rows`.
pub(crate) fn plural(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", thousands(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use engine::{Rejected, Shard, ShardReceipt};

    use super::*;

    #[test]
    fn the_short_form_quotes_a_few_records() {
        let shard = |path: &str| Shard { path: path.to_owned(), part: None, bytes: 100 };
        let rejected = |record| Rejected {
            record,
            byte: record * 10,
            reason: "no tf.Example".to_owned(),
            fatal: record == 9,
        };
        let mut first = ShardReceipt { read: 1000, counted: 998, ..Default::default() };
        first.reject(&[rejected(1), rejected(9)]);
        let mut second = ShardReceipt { read: 10, counted: 7, ..Default::default() };
        second.reject(&[rejected(2), rejected(3), rejected(4)]);
        let lost = ShardReceipt { failed: Some("no such file".to_owned()), ..Default::default() };
        let shards = vec![(shard("a"), first), (shard("b"), second), (shard("c"), lost)];
        let receipt = Receipt { shards, cached: 1 };
        let expected = "\
read 1,010 rows in 3 shards (0 B): 1,005 counted, 5 rejected; 505 rows/s
  1 shard came from the cache, unread
  `a`, record 1 at byte 10: no tf.Example; rejected
  `a`, record 9 at byte 90: no tf.Example; the rest of the shard is lost
  `b`, record 2 at byte 20: no tf.Example; rejected
  `c` is lost: no such file
  and 2 more; `--receipt FILE` tells where and why
";
        assert_eq!(short(&receipt, Duration::from_secs(2)), expected);
        let whole = whole(&receipt, Duration::from_secs(2));
        assert_eq!(whole["failed_shards"], 2);
        assert_eq!(whole["shards"][1]["reasons"][2]["byte"], 40);
    }
}
