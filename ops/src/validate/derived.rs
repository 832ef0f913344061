//! Features that exist only during validation.

use std::ops::ControlFlow;

use super::anomalies_of_sets as text;
use super::subject::Subject;
use crate::tfmd::LifecycleStage;

/// A derived feature whose source or stage of life the schema does not say.
pub(super) fn check(subject: &mut Subject<'_>) -> ControlFlow<()> {
    if let Some(source) = &subject.view.statistics().validation_derived_source
        && subject.feature.validation_derived_source.is_none()
    {
        subject.report(text::derived_source_not_in_schema(), |feature| {
            feature.lifecycle_stage = Some(LifecycleStage::ValidationDerived.into());
            feature.validation_derived_source = Some(source.clone());
        });
    }
    let stage = subject.feature.lifecycle_stage();
    if subject.feature.validation_derived_source.is_some()
        && stage != LifecycleStage::ValidationDerived
        && !subject.feature.is_retired()
    {
        let reason = text::derived_with_wrong_stage().observed(stage.as_str_name());
        subject.report(reason, |feature| {
            feature.lifecycle_stage = Some(LifecycleStage::ValidationDerived.into());
        });
    }
    ControlFlow::Continue(())
}
