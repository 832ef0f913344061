//! Embeddings: every example has as many numbers as the schema says the vector has.

use std::ops::ControlFlow;

use super::anomalies as text;
use super::subject::Subject;
use crate::tfmd::feature::DomainInfo;

/// The length of vectors. TFDV has a kind of anomaly for it, and never raises it.
pub(super) fn check(subject: &mut Subject<'_>) -> ControlFlow<()> {
    let Some(DomainInfo::FloatDomain(domain)) = &subject.feature.domain_info else {
        return ControlFlow::Continue(());
    };
    let (true, Some(dim)) = (domain.is_embedding(), domain.embedding_dim) else {
        return ControlFlow::Continue(());
    };
    let levels = subject.view.values_by_level();
    if let Some(&(least, most)) = levels.last().filter(|&&level| level != (dim, dim)) {
        subject.report(text::embedding_of_other_length(dim, least, most), |feature| {
            if let Some(DomainInfo::FloatDomain(domain)) = &mut feature.domain_info {
                domain.embedding_dim = (least == most).then_some(least);
            }
        });
    }
    ControlFlow::Continue(())
}
