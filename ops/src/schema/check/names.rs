//! Names: missing, given twice, or of things that are not there.

use std::collections::BTreeMap;

use super::{Check, Checked, Found, Severity};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::tensor_representation::Kind;
use crate::tfmd::{Feature, FeatureType, Path, SparseFeature, nearest};

pub(super) const FEATURE_WITHOUT_NAME: Check = Check {
    code: "feature_without_name",
    severity: Severity::Error,
    doc: "a feature has no name: validation cannot match it with data",
    find: |checked, found| {
        for place in checked.live().filter(|place| place.feature.name.is_none()) {
            found.of(place, "", "The feature has no name.", "Write `name: \"…\"` into it.");
        }
    },
};

pub(super) const FEATURE_WITHOUT_TYPE: Check = Check {
    code: "feature_without_type",
    severity: Severity::Error,
    doc: "a feature has no type, or one that does not exist",
    find: |checked, found| {
        for place in checked.live() {
            let known = place.feature.r#type.map(FeatureType::try_from);
            match known {
                Some(Ok(FeatureType::TypeUnknown) | Err(_)) => {
                    found.of(
                        place,
                        "type",
                        "The type is not one that data can have.",
                        "Use BYTES, INT, FLOAT or STRUCT.",
                    );
                }
                Some(Ok(_)) => {}
                None => {
                    let hint = "Write `type: BYTES`, `INT`, `FLOAT` or `STRUCT` into it.";
                    found.of(place, "", "The feature has no type.", hint);
                }
            }
        }
    },
};

pub(super) const DUPLICATE_FEATURE: Check = Check {
    code: "duplicate_feature",
    severity: Severity::Error,
    doc: "two features, sparse or weighted features have one name",
    find: |checked, found| {
        let schema = checked.schema;
        let weighted = schema.weighted_feature.iter().enumerate();
        let weighted = weighted
            .filter(|(_, weighted)| !weighted.is_retired())
            .map(|(i, weighted)| (format!("weighted_feature[{i}]"), weighted.name()));
        level(&Path::default(), "", &schema.feature, &schema.sparse_feature, weighted, found);
        for place in checked.live() {
            if let Some(DomainInfo::StructDomain(domain)) = &place.feature.domain_info {
                let field = format!("{}.struct_domain.", place.field);
                let (features, sparse) = (&domain.feature, &domain.sparse_feature);
                level(&place.path, &field, features, sparse, std::iter::empty(), found);
            }
        }
    },
};

/// Looks for names that are twice among the features of one struct, or of the schema.
fn level<'a>(
    parent: &Path,
    field: &str,
    features: &'a [Feature],
    sparse: &'a [SparseFeature],
    weighted: impl Iterator<Item = (String, &'a str)>,
    found: &mut Found<'_>,
) {
    let features = features.iter().enumerate().filter(|(_, f)| !f.is_retired());
    let features = features.map(|(i, f)| (format!("{field}feature[{i}]"), f.name()));
    let sparse = sparse.iter().enumerate().filter(|(_, s)| !s.is_retired());
    let sparse = sparse.map(|(i, s)| (format!("{field}sparse_feature[{i}]"), s.name()));
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (field, name) in features.chain(sparse).chain(weighted) {
        match seen.get(name) {
            // A feature without any name is said to have none.
            _ if name.is_empty() => {}
            None => {
                seen.insert(name, field);
            }
            Some(first) => {
                let message = format!("The name is that of `{first}`, too.");
                let hint = Some("Rename one of the two, or remove it.".to_owned());
                found.add(parent.child(name), format!("{field}.name"), message, hint);
            }
        }
    }
}

pub(super) const DUPLICATE_DOMAIN: Check = Check {
    code: "duplicate_domain",
    severity: Severity::Error,
    doc: "two domains of strings have one name: only the first is looked at",
    find: |checked, found| {
        let domains = &checked.schema.string_domain;
        for (i, domain) in domains.iter().enumerate() {
            let first = domains.iter().position(|other| other.name() == domain.name());
            if let Some(first) = first.filter(|first| *first < i) {
                let message = format!("The name is that of `string_domain[{first}]`, too.");
                let hint = Some("Rename one of the two, or join their values.".to_owned());
                found.add(domain.name(), format!("string_domain[{i}].name"), message, hint);
            }
        }
    },
};

pub(super) const UNKNOWN_ENVIRONMENT: Check = Check {
    code: "unknown_environment",
    severity: Severity::Warning,
    doc: "an environment that no `default_environment` lists: data cannot be validated in it",
    find: |checked, found| {
        let known = &checked.schema.default_environment;
        for place in checked.live() {
            let lists = [
                ("in_environment", &place.feature.in_environment),
                ("not_in_environment", &place.feature.not_in_environment),
            ];
            for (field, names) in lists {
                for (i, name) in names.iter().enumerate().filter(|(_, name)| !known.contains(name))
                {
                    let message = format!("No `default_environment` lists `{name}`.");
                    let hint = nearest::nearest(name, known).map_or_else(
                        || format!("Write `default_environment: \"{name}\"` into the schema."),
                        |close| format!("Did you mean `{close}`?"),
                    );
                    found.of(place, &format!("{field}[{i}]"), message, &hint);
                }
            }
            for (i, name) in place.feature.not_in_environment.iter().enumerate() {
                if place.feature.in_environment.contains(name) {
                    let message = format!("`in_environment` lists `{name}`, too, and it wins.");
                    found.of(place, &format!("not_in_environment[{i}]"), message, "");
                }
            }
        }
    },
};

pub(super) const MISSING_COLUMN: Check = Check {
    code: "missing_column",
    severity: Severity::Error,
    doc: "a sparse or weighted feature, or a tensor, is made of columns that are not there",
    find: |checked, found| {
        let schema = checked.schema;
        for (i, sparse) in schema.sparse_feature.iter().enumerate().filter(|(_, s)| !s.is_retired())
        {
            sparse_columns(
                &Path::new([sparse.name()]),
                &format!("sparse_feature[{i}]"),
                sparse,
                &schema.feature,
                found,
            );
        }
        for place in checked.live() {
            let Some(DomainInfo::StructDomain(domain)) = &place.feature.domain_info else {
                continue;
            };
            for (i, sparse) in domain.sparse_feature.iter().enumerate() {
                let field = format!("{}.struct_domain.sparse_feature[{i}]", place.field);
                let path = place.path.child(sparse.name());
                sparse_columns(&path, &field, sparse, &domain.feature, found);
            }
        }
        for (i, weighted) in schema.weighted_feature.iter().enumerate() {
            let parts =
                [("feature", &weighted.feature), ("weight_feature", &weighted.weight_feature)];
            for (part, path) in parts.into_iter().filter(|_| !weighted.is_retired()) {
                let field = format!("weighted_feature[{i}].{part}");
                match path {
                    None => {
                        let message = format!("The weighted feature has no `{part}`.");
                        found.add(weighted.name(), format!("weighted_feature[{i}]"), message, None);
                    }
                    Some(path) if schema.feature_at(path).is_none() => {
                        let message = format!("There is no feature `{path}`.");
                        let hint = close_to(&path.to_string(), &schema.feature);
                        found.add(weighted.name(), field, message, hint);
                    }
                    Some(_) => {}
                }
            }
        }
        tensors(checked, found);
    },
};

fn sparse_columns(
    path: &Path,
    field: &str,
    sparse: &SparseFeature,
    beside: &[Feature],
    found: &mut Found<'_>,
) {
    let indices = sparse.index_feature.iter().enumerate();
    let indices = indices.map(|(i, index)| (format!("index_feature[{i}]"), index.name()));
    let value = sparse.value_feature.iter().map(|value| ("value_feature".to_owned(), value.name()));
    for (part, name) in indices.chain(value) {
        if !beside.iter().any(|feature| feature.name() == name) {
            let message = format!("There is no feature `{name}`.");
            found.add(path, format!("{field}.{part}.name"), message, close_to(name, beside));
        }
    }
    if sparse.value_feature.is_none() {
        found.add(path, field, "The sparse feature has no `value_feature`.", None);
    }
    if sparse.index_feature.is_empty() {
        found.add(path, field, "The sparse feature has no `index_feature`.", None);
    }
    if let Some(shape) = &sparse.dense_shape
        && !shape.dim.is_empty()
        && shape.dim.len() != sparse.index_feature.len()
    {
        let (dims, indices) = (shape.dim.len(), sparse.index_feature.len());
        let message =
            format!("The dense shape has {dims} dimensions, and {indices} have an index.");
        found.add(path, format!("{field}.dense_shape"), message, None);
    }
}

fn tensors(checked: &Checked<'_>, found: &mut Found<'_>) {
    let schema = checked.schema;
    let groups = schema.tensor_representation_group.iter();
    let tensors = groups.flat_map(|(group, tensors)| {
        tensors.tensor_representation.iter().map(move |(name, tensor)| (group, name, tensor))
    });
    for (group, name, tensor) in tensors {
        let columns: Vec<&str> = match &tensor.kind {
            Some(Kind::DenseTensor(dense)) => vec![dense.column_name()],
            Some(Kind::VarlenSparseTensor(sparse)) => vec![sparse.column_name()],
            Some(Kind::SparseTensor(sparse)) => {
                let index = sparse.index_column_names.iter().map(String::as_str);
                index.chain([sparse.value_column_name()]).collect()
            }
            Some(Kind::RaggedTensor(ragged)) => ragged
                .feature_path
                .iter()
                .filter_map(|p| p.step.first())
                .map(String::as_str)
                .collect(),
            None => Vec::new(),
        };
        for column in columns {
            if !schema.feature.iter().any(|feature| feature.name() == column) {
                let message = format!("There is no feature `{column}` for the tensor.");
                let path = format!("{group}[{name}]");
                let hint = close_to(column, &schema.feature);
                found.add(path, "tensor_representation_group", message, hint);
            }
        }
    }
}

/// The feature that was probably meant.
fn close_to(name: &str, features: &[Feature]) -> Option<String> {
    let known: Vec<String> = features.iter().map(|feature| feature.name().to_owned()).collect();
    nearest::nearest(name, &known).map(|close| format!("Did you mean `{close}`?"))
}
