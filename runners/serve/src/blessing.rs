//! Blessings: whether whoever evaluated a model allows it to be pushed.

use std::path::Path;

use engine::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The file of a verdict, as `frazil evaluate` writes it.
const VALIDATION: &str = "validation.json";
/// Files whose names are the verdict; those of TFX's InfraValidator, too.
const MARKERS: [(&str, bool); 4] = [
    ("BLESSED", true),
    ("NOT_BLESSED", false),
    ("INFRA_BLESSED", true),
    ("INFRA_NOT_BLESSED", false),
];
/// Reasons that are told at most.
const MOST_REASONS: usize = 20;

/// What somebody says of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blessing {
    /// Where it was found.
    pub from: String,
    /// Whether the model may be pushed.
    pub blessed: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// The fingerprint of the model that was evaluated, where it is known.
    pub model: Option<String>,
}

/// As much of a validation as is needed.
#[derive(Deserialize)]
struct Validation {
    blessed: Option<bool>,
    #[serde(default)]
    checks: Vec<Check>,
    #[serde(default)]
    missing_slices: Vec<String>,
    #[serde(default)]
    missing_metrics: Vec<String>,
    #[serde(default)]
    model: Option<String>,
}

#[derive(Deserialize)]
struct Check {
    outcome: String,
    message: String,
}

impl Blessing {
    /// Reads a blessing: the directory of an evaluation, its `validation.json`, or a file that is called
    /// `BLESSED` or `NOT_BLESSED`, or a directory with one.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(path: &Path) -> Result<Blessing> {
        let from = path.display().to_string();
        let none = |error: Error| {
            error.with_hint("Name a directory that `frazil evaluate -o` has written.")
        };
        if let Err(e) = path.metadata() {
            return Err(none(Error::io(format_args!("read `{from}`"), &e)));
        }
        let validation = path.join(VALIDATION);
        let marker = |path: &Path| {
            let name = path.file_name()?;
            MARKERS.iter().find(|(marker, _)| name == *marker).map(|(_, blessed)| *blessed)
        };
        let marked = if path.is_dir() {
            let markers = MARKERS.iter().map(|(marker, _)| path.join(marker));
            // Where somebody says no, nobody else's yes counts.
            markers
                .filter(|path| path.exists())
                .filter_map(|path| marker(&path))
                .reduce(|a, b| a && b)
        } else {
            marker(path)
        };
        if path.is_dir() && validation.is_file() {
            let mut blessing = Self::of_validation(&validation, from)?;
            if marked == Some(false) && blessing.blessed {
                blessing.blessed = false;
                blessing.reasons.push("it is marked as not blessed".to_owned());
            }
            return Ok(blessing);
        }
        match marked {
            Some(blessed) => {
                let reasons =
                    if blessed { vec![] } else { vec!["it is marked as not blessed".to_owned()] };
                Ok(Blessing { from, blessed, reasons, model: None })
            }
            None if path.is_file() => Self::of_validation(path, from),
            None => {
                let error =
                    Error::new(ErrorKind::NotFound, format!("there is no blessing in `{from}`"));
                Err(none(error))
            }
        }
    }

    fn of_validation(file: &Path, from: String) -> Result<Blessing> {
        let bytes = std::fs::read(file)
            .map_err(|e| Error::io(format_args!("read `{}`", file.display()), &e))?;
        let validation: Validation = serde_json::from_slice(&bytes).map_err(|e| {
            Error::input(format!("`{}` is no verdict of an evaluation", file.display()))
                .with_detail(format!("{e}."))
                .with_hint("Name a directory that `frazil evaluate -o` has written.")
        })?;
        let Validation { blessed, checks, missing_slices, missing_metrics, model } = validation;
        let failed = checks.into_iter().filter(|check| check.outcome != "PASSED");
        let mut reasons: Vec<String> = failed.map(|check| check.message).collect();
        reasons.extend(missing_slices.iter().map(|slice| format!("no row is in slice `{slice}`")));
        let missing = missing_metrics.iter();
        reasons.extend(missing.map(|metric| format!("nobody has measured `{metric}`")));
        if blessed.is_none() {
            reasons = vec!["the evaluation has no thresholds, so nothing is blessed".to_owned()];
        }
        let blessed = blessed == Some(true);
        if blessed {
            reasons.clear();
        }
        if reasons.len() > MOST_REASONS {
            let more = reasons.len() - MOST_REASONS;
            reasons.truncate(MOST_REASONS);
            reasons.push(format!("{more} more"));
        }
        Ok(Blessing { from, blessed, reasons, model })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_in_all_their_forms() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = place.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        let check = |path: &Path, blessed: bool, reasons: &[&str]| {
            let found = Blessing::read(path).unwrap();
            assert_eq!((found.blessed, &found.reasons[..]), (blessed, &reasons.map_owned()[..]));
        };
        trait MapOwned {
            fn map_owned(&self) -> Vec<String>;
        }
        impl MapOwned for &[&str] {
            fn map_owned(&self) -> Vec<String> {
                self.iter().map(|&text| text.to_owned()).collect()
            }
        }
        let yes = r#"{"blessed": true, "rubber_stamp": false, "checks": [], "model": "abc"}"#;
        let file = write("yes/validation.json", yes);
        check(&file, true, &[]);
        check(file.parent().unwrap(), true, &[]);
        assert_eq!(Blessing::read(&file).unwrap().model.as_deref(), Some("abc"));
        write("yes/NOT_BLESSED", "");
        check(file.parent().unwrap(), false, &["it is marked as not blessed"]);
        let no = r#"{"blessed": false, "missing_slices": ["s"], "missing_metrics": ["auc"],
            "checks": [{"outcome": "PASSED", "message": "fine"}, {"outcome": "FAILED", "message": "bad"}]}"#;
        let reasons = ["bad", "no row is in slice `s`", "nobody has measured `auc`"];
        check(&write("no.json", no), false, &reasons);
        let none = write("none.json", r#"{"blessed": null, "checks": []}"#);
        check(&none, false, &["the evaluation has no thresholds, so nothing is blessed"]);
        let marker = write("tfx/BLESSED", "");
        check(&marker, true, &[]);
        check(marker.parent().unwrap(), true, &[]);
        write("tfx/INFRA_NOT_BLESSED", "");
        check(marker.parent().unwrap(), false, &["it is marked as not blessed"]);
        write("empty/file", "");
        for name in ["empty", "nowhere", "empty/file"] {
            assert!(Blessing::read(&place.path().join(name)).is_err(), "{name}");
        }
    }
}
