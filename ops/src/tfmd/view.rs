//! One dataset's statistics as validation asks them: by path, nested, weighted where they are.
//!
//! TFDV reads weighted numbers wherever the statistics carry them for every feature. A view makes
//! that choice once, so that no rule has to.

use std::borrow::Cow;
use std::collections::BTreeMap;

use engine::{Error, Result};
use hashbrown::HashMap;

use super::feature_name_statistics::{FieldId, Stats, Type};
use super::histogram::HistogramType;
use super::{
    BytesStatistics, CommonStatistics, CustomStatistic, DatasetFeatureStatistics,
    DatasetFeatureStatisticsList, FeatureNameStatistics, FeatureType, Histogram, NumericStatistics,
    Path, RankHistogram, StringStatistics,
};

/// The name of the slice that holds every example.
pub const ALL_EXAMPLES: &str = "All Examples";

impl DatasetFeatureStatisticsList {
    /// The statistics of all examples: the only dataset, or the one of that name.
    ///
    /// # Errors
    ///
    /// There are several datasets and none is that of all examples, or there is none at all.
    pub fn all_examples(&self) -> Result<&DatasetFeatureStatistics> {
        if let [only] = self.datasets.as_slice() {
            return Ok(only);
        }
        let found = self.datasets.iter().find(|dataset| dataset.name == ALL_EXAMPLES);
        found.ok_or_else(|| {
            let n = self.datasets.len();
            Error::input(format!("no statistics of all examples are among {n} datasets"))
                .with_detail(format!("The dataset named `{ALL_EXAMPLES}` is looked for."))
                .with_hint("Give the statistics of one run, whole, as `frazil stats` writes them.")
        })
    }
}

/// One dataset's statistics, found by path.
#[derive(Clone, Debug)]
pub struct DatasetView<'a> {
    statistics: &'a DatasetFeatureStatistics,
    by_weight: bool,
    features: Vec<Indexed<'a>>,
    by_path: HashMap<Cow<'a, Path>, usize, foldhash::fast::FixedState>,
}

/// A feature and its place in the tree of structs.
#[derive(Clone, Debug)]
struct Indexed<'a> {
    statistics: &'a FeatureNameStatistics,
    path: Cow<'a, Path>,
    is_root: bool,
    children: Vec<usize>,
}

impl<'a> DatasetView<'a> {
    /// The view of a dataset, by weight if every feature has weighted statistics.
    pub fn new(statistics: &'a DatasetFeatureStatistics) -> Self {
        let by_weight = has_weights(statistics);
        DatasetView::by_weight_if(statistics, by_weight)
    }

    /// The view of a dataset, by weight or not, as the dataset it is compared with.
    ///
    /// Of two statistics of one path the later counts. Statistics without anything in them are no
    /// feature. Where a writer gave names instead of paths, a struct's name is the beginning of its
    /// fields' names.
    pub fn by_weight_if(statistics: &'a DatasetFeatureStatistics, by_weight: bool) -> Self {
        let all = || statistics.features.iter();
        let has_paths = all().any(|f| matches!(f.field_id, Some(FieldId::Path(_))));
        let listed = all().filter(|f| f.stats.is_some() || !f.custom_stats.is_empty());
        let mut features: Vec<Indexed<'a>> = listed
            .map(|statistics| {
                let path = match &statistics.field_id {
                    Some(FieldId::Path(path)) => Cow::Borrowed(path),
                    _ => Cow::Owned(statistics.path_or_name()),
                };
                Indexed { statistics, path, is_root: true, children: Vec::new() }
            })
            .collect();
        if !has_paths {
            split_names(&mut features);
        }
        let mut by_path = HashMap::with_capacity_and_hasher(
            features.len(),
            foldhash::fast::FixedState::default(),
        );
        for (i, feature) in features.iter().enumerate() {
            by_path.insert(feature.path.clone(), i);
        }
        for i in 0..features.len() {
            let Some((_, parent)) = features[i].path.step.split_last() else { continue };
            if parent.is_empty() {
                continue;
            }
            let parent = Path { step: parent.to_vec() };
            if let Some(&parent) = by_path.get(&parent) {
                features[i].is_root = false;
                features[parent].children.push(i);
            }
        }
        for i in 0..features.len() {
            let mut children = std::mem::take(&mut features[i].children);
            children.sort_by(|&a, &b| features[a].path.cmp(&features[b].path));
            features[i].children = children;
        }
        DatasetView { statistics, by_weight, features, by_path }
    }

    /// The statistics that are viewed.
    pub fn statistics(&self) -> &'a DatasetFeatureStatistics {
        self.statistics
    }

    /// Whether numbers are weighted.
    pub fn is_by_weight(&self) -> bool {
        self.by_weight
    }

    /// How many examples there are, or what they weigh.
    pub fn num_examples(&self) -> f64 {
        if self.by_weight {
            self.statistics.weighted_num_examples
        } else {
            self.statistics.num_examples as f64
        }
    }

    /// Every feature, in the order of the statistics.
    pub fn features<'v>(&'v self) -> impl Iterator<Item = FeatureView<'v, 'a>> {
        (0..self.features.len()).map(|index| FeatureView { dataset: self, index })
    }

    /// Every feature that is not in a struct, in the order of the statistics.
    pub fn roots<'v>(&'v self) -> impl Iterator<Item = FeatureView<'v, 'a>> {
        self.features().filter(|feature| self.features[feature.index].is_root)
    }

    /// The feature at a path.
    pub fn get<'v>(&'v self, path: &Path) -> Option<FeatureView<'v, 'a>> {
        let &index = self.by_path.get(path)?;
        Some(FeatureView { dataset: self, index })
    }
}

/// Whether there are weighted numbers for every feature of the data.
fn has_weights(statistics: &DatasetFeatureStatistics) -> bool {
    if statistics.weighted_num_examples == 0.0 {
        return false;
    }
    let mut common = statistics.features.iter().filter_map(FeatureNameStatistics::common_stats);
    common.all(|common| {
        let (levels, weighted) = (
            common.presence_and_valency_stats.len(),
            common.weighted_presence_and_valency_stats.len(),
        );
        common.weighted_common_stats.is_some() && levels == weighted
    })
}

/// Splits `a.b` at the end of a struct's name `a`, for all names.
fn split_names(features: &mut [Indexed<'_>]) {
    let mut order: Vec<usize> = (0..features.len()).collect();
    let name = |feature: &Indexed<'_>| feature.path.step.first().cloned().unwrap_or_default();
    order.sort_by_cached_key(|&i| name(&features[i]));
    let mut structs: Vec<(String, Path)> = Vec::new();
    for i in order {
        let name = name(&features[i]);
        let field = |open: &str| name.strip_prefix(open)?.strip_prefix('.');
        // `s-t` comes between `s` and `s.t`, so only what cannot have fields any more is closed.
        while structs.last().is_some_and(|(open, _)| !name.starts_with(open)) {
            structs.pop();
        }
        let parent = structs.iter().rev().find_map(|(open, path)| Some((path, field(open)?)));
        if let Some((path, step)) = parent {
            features[i].path = Cow::Owned(path.child(step));
        }
        if features[i].statistics.r#type() == Type::Struct {
            structs.push((name, features[i].path.clone().into_owned()));
        }
    }
}

/// One feature's statistics in a [`DatasetView`].
#[derive(Clone, Copy, Debug)]
pub struct FeatureView<'v, 'a> {
    dataset: &'v DatasetView<'a>,
    index: usize,
}

/// What stands for the numbers of a feature that has none.
static NO_COMMON_STATISTICS: std::sync::LazyLock<CommonStatistics> =
    std::sync::LazyLock::new(CommonStatistics::default);

impl<'v, 'a> FeatureView<'v, 'a> {
    /// The dataset the feature is in.
    pub fn dataset(&self) -> &'v DatasetView<'a> {
        self.dataset
    }

    /// Where the feature is.
    pub fn path(&self) -> &'v Path {
        &self.dataset.features[self.index].path
    }

    /// The message that is viewed.
    pub fn statistics(&self) -> &'a FeatureNameStatistics {
        self.dataset.features[self.index].statistics
    }

    /// The fields of a struct, ascending.
    pub fn children(&self) -> impl Iterator<Item = FeatureView<'v, 'a>> + use<'v, 'a> {
        let dataset = self.dataset;
        let children = dataset.features[self.index].children.iter();
        children.map(move |&index| FeatureView { dataset, index })
    }

    /// What the data hold.
    pub fn data_type(&self) -> Type {
        self.statistics().r#type()
    }

    /// What a schema calls the type of the data.
    pub fn feature_type(&self) -> FeatureType {
        match self.data_type() {
            Type::Bytes | Type::String => FeatureType::Bytes,
            Type::Int => FeatureType::Int,
            Type::Float => FeatureType::Float,
            Type::Struct => FeatureType::Struct,
        }
    }

    fn common(&self) -> &'a CommonStatistics {
        self.statistics().common_stats().unwrap_or(&NO_COMMON_STATISTICS)
    }

    /// How many examples have the feature, or what they weigh.
    pub fn num_present(&self) -> f64 {
        let common = self.common();
        if self.dataset.by_weight {
            common.weighted_common_stats.as_ref().map_or(0.0, |weighted| weighted.num_non_missing)
        } else {
            common.num_non_missing as f64
        }
    }

    /// How many examples lack the feature, or what they weigh.
    pub fn num_missing(&self) -> f64 {
        let common = self.common();
        if self.dataset.by_weight {
            common.weighted_common_stats.as_ref().map_or(0.0, |weighted| weighted.num_missing)
        } else {
            common.num_missing as f64
        }
    }

    /// The share of examples that have the feature; none without examples.
    pub fn fraction_present(&self) -> Option<f64> {
        let examples = self.dataset.num_examples();
        if examples <= 0.0 {
            None
        } else if self.num_missing() == 0.0 {
            // Weights need not add up.
            Some(1.0)
        } else {
            Some(self.num_present() / examples)
        }
    }

    /// How many lists are missing at each nest level, from the outermost.
    pub fn missing_by_level(&self) -> Vec<f64> {
        let common = self.common();
        let levels: Vec<f64> = if self.dataset.by_weight {
            common.weighted_presence_and_valency_stats.iter().map(|l| l.num_missing).collect()
        } else {
            common.presence_and_valency_stats.iter().map(|l| l.num_missing as f64).collect()
        };
        if levels.is_empty() { vec![self.num_missing()] } else { levels }
    }

    /// The least and the greatest number of values at each nest level, from the outermost.
    pub fn values_by_level(&self) -> Vec<(i64, i64)> {
        let common = self.common();
        if common.presence_and_valency_stats.is_empty() {
            return vec![(common.min_num_values as i64, common.max_num_values as i64)];
        }
        let levels = common.presence_and_valency_stats.iter();
        levels.map(|l| (l.min_num_values as i64, l.max_num_values as i64)).collect()
    }

    /// Whether values are lists of lists.
    pub fn is_nested(&self) -> bool {
        self.common().presence_and_valency_stats.len() > 1
    }

    /// How many values there are in all examples, or what they weigh.
    pub fn num_values(&self) -> f64 {
        let common = self.common();
        if self.dataset.by_weight {
            return common.weighted_common_stats.as_ref().map_or(0.0, |w| w.tot_num_values);
        }
        if common.tot_num_values == 0 {
            // Old writers did not say it.
            return common.num_non_missing as f64 * f64::from(common.avg_num_values);
        }
        common.tot_num_values as f64
    }

    /// Statistics of numbers.
    pub fn numeric(&self) -> Option<&'a NumericStatistics> {
        match &self.statistics().stats {
            Some(Stats::NumStats(numeric)) => Some(numeric),
            _ => None,
        }
    }

    /// Statistics of strings, and of numbers that are categories.
    pub fn string(&self) -> Option<&'a StringStatistics> {
        match &self.statistics().stats {
            Some(Stats::StringStats(string)) => Some(string),
            _ => None,
        }
    }

    /// Statistics of opaque bytes.
    pub fn bytes(&self) -> Option<&'a BytesStatistics> {
        match &self.statistics().stats {
            Some(Stats::BytesStats(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Values by their number of occurrences, as far as they were kept.
    pub fn rank_histogram(&self) -> Option<&'a RankHistogram> {
        let string = self.string()?;
        if self.dataset.by_weight {
            string.weighted_string_stats.as_ref()?.rank_histogram.as_ref()
        } else {
            string.rank_histogram.as_ref()
        }
    }

    /// The kept values, ascending by bytes, with their counts.
    pub fn labels(&self) -> BTreeMap<&'a str, f64> {
        let mut labels = BTreeMap::new();
        for bucket in self.rank_histogram().into_iter().flat_map(|histogram| &histogram.buckets) {
            labels.entry(bucket.label.as_str()).or_insert(bucket.sample_count);
        }
        labels
    }

    /// The first histogram of a kind, of numbers.
    pub fn histogram(&self, kind: HistogramType) -> Option<&'a Histogram> {
        let numeric = self.numeric()?;
        let histograms = if self.dataset.by_weight {
            &numeric.weighted_numeric_stats.as_ref()?.histograms
        } else {
            &numeric.histograms
        };
        histograms.iter().find(|histogram| histogram.r#type() == kind)
    }

    /// Whether some strings are no UTF-8.
    pub fn has_invalid_utf8(&self) -> bool {
        self.string().is_some_and(|string| string.invalid_utf8_count > 0)
    }

    /// How many distinct values there are; none where they were not counted.
    pub fn num_unique(&self) -> Option<u64> {
        self.string().map(|string| string.unique)
    }

    /// The custom statistic of a name.
    pub fn custom_stat(&self, name: &str) -> Option<&'a CustomStatistic> {
        self.statistics().custom_stat(name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::parse;
    use super::*;

    fn paths(dataset: &str) -> Vec<String> {
        let dataset: DatasetFeatureStatistics = parse(dataset).unwrap();
        let view = DatasetView::new(&dataset);
        let roots = view.roots().flat_map(|root| {
            let children = root.children().map(|c| format!("{}>{}", root.path(), c.path()));
            std::iter::once(root.path().to_string()).chain(children.collect::<Vec<_>>())
        });
        roots.collect()
    }

    #[test]
    fn tree() {
        let by_path = "
            features { path { step: 's' } type: STRUCT struct_stats {} }
            features { path { step: 's' step: 'b' } num_stats {} }
            features { path { step: 's' step: 'a' } num_stats {} }
            features { path { step: 'empty' } }
            features { path { step: 'x' step: 'y' } num_stats {} }";
        assert_eq!(paths(by_path), ["s", "s>s.a", "s>s.b", "x.y"]);
        let by_name = "
            features { name: 's.b' num_stats {} }
            features { name: 's' type: STRUCT struct_stats {} }
            features { name: 'st' num_stats {} }
            features { name: 's-t' num_stats {} }
            features { name: 'a.b' num_stats {} }";
        assert_eq!(paths(by_name), ["s", "s>s.b", "st", "s-t", "'a.b'"]);
    }

    #[test]
    fn weights() {
        fn check(features: &str, expected: bool) {
            let text = format!("num_examples: 2 weighted_num_examples: 3 {features}");
            let dataset: DatasetFeatureStatistics = parse(&text).unwrap();
            assert_eq!(DatasetView::new(&dataset).is_by_weight(), expected, "{features}");
        }
        let weighted = "features { name: 'a' num_stats { common_stats {
            num_non_missing: 2 weighted_common_stats { num_non_missing: 2.5 num_missing: 0.5 } } } }";
        check(weighted, true);
        check(
            &format!("{weighted} features {{ name: 'b' num_stats {{ common_stats {{}} }} }}"),
            false,
        );
        // A sparse feature has no weights and no numbers that could have them.
        check(&format!("{weighted} features {{ name: 's' custom_stats {{ name: 'm' }} }}"), true);
        let text = format!("num_examples: 2 weighted_num_examples: 3 {weighted}");
        let dataset: DatasetFeatureStatistics = parse(&text).unwrap();
        let view = DatasetView::new(&dataset);
        let a = view.get(&Path::new(["a"])).unwrap();
        assert_eq!((view.num_examples(), a.num_present(), a.num_missing()), (3.0, 2.5, 0.5));
        assert_eq!(a.fraction_present(), Some(2.5 / 3.0));
        let plain = DatasetView::by_weight_if(&dataset, false);
        let a = plain.get(&Path::new(["a"])).unwrap();
        assert_eq!((plain.num_examples(), a.num_present(), a.num_missing()), (2.0, 2.0, 0.0));
        assert_eq!(a.fraction_present(), Some(1.0));
    }

    #[test]
    fn all_examples() {
        fn check(names: &[&str], expected: Option<&str>) {
            let datasets = names.iter().map(|name| DatasetFeatureStatistics {
                name: (*name).to_owned(),
                ..DatasetFeatureStatistics::default()
            });
            let list = DatasetFeatureStatisticsList { datasets: datasets.collect() };
            assert_eq!(list.all_examples().ok().map(|d| d.name.as_str()), expected);
        }
        check(&["x"], Some("x"));
        check(&["x", "All Examples"], Some("All Examples"));
        check(&["x", "y"], None);
        check(&[], None);
    }
}
