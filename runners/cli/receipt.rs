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
    out.push_str(&cached(receipt, ""));
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

/// A line about the shards that were not read, if there are any.
pub(crate) fn cached(receipt: &Receipt, when: &str) -> String {
    match receipt.cached.len() as u64 {
        0 => String::new(),
        n => format!("  {} came from the cache, unread{when}\n", plural(n, "shard")),
    }
}

/// Writes the whole receipt.
pub(crate) fn write(path: &Path, receipt: &Receipt, elapsed: Duration) -> Result<()> {
    write_all(path, std::slice::from_ref(receipt), elapsed)
}

/// Writes the receipts of all scans of a command: the last one, and those before it.
pub(crate) fn write_all(path: &Path, scans: &[Receipt], elapsed: Duration) -> Result<()> {
    let Some((last, earlier)) = scans.split_last() else { return Ok(()) };
    let mut all = whole(last);
    all["seconds"] = elapsed.as_secs_f64().into();
    if !earlier.is_empty() {
        all["earlier_scans"] = earlier.iter().map(whole).collect();
    }
    let mut text = format!("{all:#}");
    text.push('\n');
    write_atomic(path, text.as_bytes())
}

fn whole(receipt: &Receipt) -> Value {
    let total = receipt.total();
    let (cached, fingerprints) = (&receipt.cached, &receipt.fingerprints);
    let shards: Vec<Value> = receipt
        .shards
        .iter()
        .enumerate()
        .map(|(number, (shard, receipt))| {
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
                "cached": cached.contains(&number),
                "fingerprint": fingerprints.get(&number).map(|hash| format!("{hash:032x}")),
            })
        })
        .collect();
    json!({
        "read": total.read,
        "rejected": total.rejected,
        "counted": total.counted,
        "bytes": total.bytes,
        "cached_shards": receipt.cached.len(),
        "failed_shards": receipt.failed_shards(),
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
        let (cached, fingerprints) = ([1].into(), [(1, 0xab)].into());
        let receipt = Receipt { shards, cached, fingerprints };
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
        let whole = whole(&receipt);
        assert_eq!(whole["failed_shards"], 2);
        assert_eq!(whole["shards"][1]["reasons"][2]["byte"], 40);
        assert_eq!(whole["shards"][0]["cached"], false);
        assert!(whole["shards"][0]["fingerprint"].is_null());
        assert_eq!(whole["shards"][1]["cached"], true);
        assert_eq!(whole["shards"][1]["fingerprint"], format!("{:032x}", 0xab));
    }
}
