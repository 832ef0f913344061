//! Images that can be decoded and are small enough.

use super::anomalies as text;
use super::subject::Subject;
use crate::tfmd::custom_statistic::Val;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{Feature, ImageDomain};

/// The share of images in a known format, and the size of the largest.
pub(super) fn check(subject: &mut Subject<'_>) {
    fn edit(feature: &mut Feature, change: impl FnOnce(&mut ImageDomain)) {
        if let Some(DomainInfo::ImageDomain(domain)) = &mut feature.domain_info {
            change(domain);
        }
    }
    let Some(DomainInfo::ImageDomain(domain)) = &subject.feature.domain_info else { return };
    let domain = *domain;
    let formats = subject.view.custom_stat("image_format_histogram").and_then(|s| s.val.as_ref());
    if let (Some(min), Some(Val::RankHistogram(formats))) =
        (domain.minimum_supported_image_fraction, formats)
    {
        let (mut supported, mut unsupported) = (0.0f32, 0.0f32);
        for bucket in &formats.buckets {
            let sum = if bucket.label == "UNKNOWN" { &mut unsupported } else { &mut supported };
            *sum += bucket.sample_count as f32;
        }
        let actual = supported / (supported + unsupported);
        if actual < min {
            subject.report(text::few_supported_images(min, actual), |feature| {
                edit(feature, |domain| domain.minimum_supported_image_fraction = Some(actual));
            });
        }
    }
    let largest = subject.view.bytes().map_or(0, |bytes| bytes.max_num_bytes_int);
    if let Some(max) = domain.max_image_byte_size.filter(|&max| largest > max) {
        subject.report(text::image_too_big(max, largest), |feature| {
            edit(feature, |domain| domain.max_image_byte_size = Some(largest));
        });
    }
}
