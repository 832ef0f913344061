//! `frazil stats show`: statistics that are in a file, as a table or as JSON.

use engine::{Error, Result};
use ops::tfmd::feature_name_statistics::FieldId;
use ops::tfmd::{DatasetFeatureStatisticsList, FeatureNameStatistics};
use runners::table::{Sort, render};

use crate::args::{ShowArgs, SortArg, ViewArgs};
use crate::failure::Done;
use crate::output;

pub(crate) fn run(args: &ShowArgs) -> Done {
    let mut statistics = output::read_statistics(&args.file)?;
    select(&mut statistics, &args.view)?;
    if args.json {
        return output::print(&crate::forms::as_json(&statistics));
    }
    let sort = match args.view.sort {
        SortArg::Given => Sort::Given,
        SortArg::Name => Sort::Name,
        SortArg::Missing => Sort::Missing,
        SortArg::Zeros => Sort::Zeros,
        SortArg::Unique => Sort::Unique,
    };
    output::print(&render(&statistics, &output::table_options(sort)))
}

/// Leaves the slices and features that were asked for.
fn select(statistics: &mut DatasetFeatureStatisticsList, view: &ViewArgs) -> Result<()> {
    let slices: Vec<String> = statistics.datasets.iter().map(|d| d.name.clone()).collect();
    for slice in &view.slices {
        check("slice", slice, &slices)?;
    }
    if !view.slices.is_empty() {
        statistics.datasets.retain(|dataset| view.slices.contains(&dataset.name));
    }
    let Some(wanted) = &view.features else { return Ok(()) };
    let datasets = statistics.datasets.iter();
    let mut names: Vec<String> = datasets.flat_map(|d| d.features.iter().map(name)).collect();
    names.sort_unstable();
    names.dedup();
    for feature in wanted {
        check("feature", feature, &names)?;
    }
    for dataset in &mut statistics.datasets {
        dataset.features.retain(|feature| wanted.contains(&name(feature)));
        dataset.cross_features.clear();
    }
    Ok(())
}

fn name(feature: &FeatureNameStatistics) -> String {
    match &feature.field_id {
        Some(FieldId::Name(name)) => name.clone(),
        Some(FieldId::Path(path)) => path.step.join("."),
        None => String::new(),
    }
}

fn check(what: &str, wanted: &str, known: &[String]) -> Result<()> {
    /// More names would not be read.
    const SHOWN: usize = 12;
    if known.iter().any(|name| name == wanted) {
        return Ok(());
    }
    let shown = known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let more = if known.len() > SHOWN {
        format!(" and {} more", known.len() - SHOWN)
    } else {
        String::new()
    };
    Err(Error::invalid(format!("there is no {what} `{wanted}`"))
        .with_hint(format!("There are {}{more}.", shown.join(", "))))
}
