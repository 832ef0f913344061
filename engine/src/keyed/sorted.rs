//! The result of a `sort_per_key`: one ascending stream of all groups' keys, read from runs.

use std::sync::Arc;

use super::{KeyState, MergedRuns, Run};
use crate::Result;

/// All keys of all groups: groups ascending by name, the keys of each ascending, each key once.
///
/// It is read once, front to back, and holds a buffer for each run in memory, never the keys.
pub struct SortedKeys<S> {
    merged: MergedRuns<S>,
    group: Option<Arc<[u8]>>,
}

impl<S: KeyState> SortedKeys<S> {
    /// Merges runs.
    pub(crate) fn open(runs: Vec<Run>) -> Result<Self> {
        Ok(SortedKeys { merged: MergedRuns::open(runs)?, group: None })
    }

    /// Moves to the next group that has keys, past those of the current one that were not read;
    /// `None` after the last.
    ///
    /// # Errors
    /// When a run cannot be read or is damaged.
    pub fn next_group(&mut self) -> Result<Option<Arc<[u8]>>> {
        while self.next_key()?.is_some() {}
        self.group = self.merged.next_group().cloned();
        Ok(self.group.clone())
    }

    /// The next key of the current group with its state; `None` at the group's end.
    ///
    /// # Errors
    /// When a run cannot be read or is damaged.
    pub fn next_key(&mut self) -> Result<Option<(&[u8], S)>> {
        if self.group.is_none() || self.merged.next_group() != self.group.as_ref() {
            return Ok(None);
        }
        Ok(self.merged.next_entry()?.map(|(_, key, state)| (key, state)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::RunWriter;
    use super::*;

    fn run(entries: &[(&str, &str, u64)]) -> Run {
        let mut writer = RunWriter::new(Vec::new());
        for (group, key, n) in entries {
            writer.push(&Arc::from(group.as_bytes()), key.as_bytes(), n).unwrap();
        }
        Run::Memory(writer.finish().unwrap())
    }

    fn open() -> SortedKeys<u64> {
        let runs = vec![
            run(&[("a", "x", 1), ("b", "p", 2), ("b", "r", 3)]),
            run(&[("", "", 9), ("b", "q", 4), ("b", "r", 5), ("c", "z", 6)]),
        ];
        SortedKeys::open(runs).unwrap()
    }

    #[test]
    fn groups_and_their_keys_come_in_order() {
        let (mut keys, mut seen) = (open(), Vec::new());
        while let Some(group) = keys.next_group().unwrap() {
            while let Some((key, n)) = keys.next_key().unwrap() {
                seen.push(format!("{}{}{n}", group.escape_ascii(), key.escape_ascii()));
            }
        }
        assert_eq!(seen, ["9", "ax1", "bp2", "bq4", "br8", "cz6"]);
        assert!(keys.next_group().unwrap().is_none() && keys.next_key().unwrap().is_none());
    }

    #[test]
    fn what_is_left_of_a_group_may_be_passed_over() {
        let mut keys = open();
        assert!(keys.next_key().unwrap().is_none(), "there is no group yet");
        let groups: Vec<_> = std::iter::from_fn(|| keys.next_group().unwrap()).collect();
        assert_eq!(groups, [&b""[..], b"a", b"b", b"c"].map(Arc::from));
        let mut keys = open();
        for _ in 0..3 {
            keys.next_group().unwrap();
        }
        assert_eq!(keys.next_key().unwrap(), Some((&b"p"[..], 2)));
        assert_eq!(keys.next_group().unwrap().as_deref(), Some(&b"c"[..]));
        let mut none = SortedKeys::<u64>::open(vec![run(&[])]).unwrap();
        assert!(none.next_group().unwrap().is_none());
    }
}
