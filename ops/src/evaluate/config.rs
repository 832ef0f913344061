//! TFMA's `EvalConfig`, as JSON or in text format: what of it can be done here, and a clear error for
//! the rest.
//!
//! Names may be written `snake_case` or `lowerCamelCase`. What only says how a model is called (its
//! type, signature, preprocessing functions) is passed over, since predictions are there already.

use engine::{Error, ErrorKind, Result};
use serde_json::{Map, Value as Json};

use super::METRICS;
use super::metric::{Average, Kind, Metric, MetricSpec, Parameters, Task};
use super::options::{averaged, default_metrics};
use super::replicate::Method;
use super::text;
use super::threshold::{Change, Direction, Threshold, ThresholdSpec, ValueBounds};
use crate::stats::SliceSpec;

/// What an `EvalConfig` asks for.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The candidate.
    pub model: ModelSpec,
    /// The baseline, if there is a second model.
    pub baseline: Option<ModelSpec>,
    /// Slices beside all rows.
    pub slices: Vec<SliceSpec>,
    /// Metrics; all that apply to the task where none is named.
    pub metrics: Vec<MetricSpec>,
    /// What metrics have to reach.
    pub thresholds: Vec<ThresholdSpec>,
    /// Slices of fewer rows have no metrics.
    pub min_slice_size: Option<u64>,
    /// How intervals are computed, if they are asked for.
    pub intervals: Option<Method>,
}

/// Where labels and a model's predictions are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelSpec {
    /// Column of labels.
    pub label: Option<String>,
    /// Column of predictions.
    pub prediction: Option<String>,
    /// Column of weights.
    pub weight: Option<String>,
}

/// Reads an `EvalConfig` for a task.
///
/// # Errors
/// When the text is neither JSON nor text format, a field is not one of `EvalConfig`'s, holds what it may not, or asks for
/// what cannot be done.
pub fn load_config(bytes: &[u8], task: Task) -> Result<Config> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let json: Json = if matches!(first, Some(b'{' | b'[')) {
        serde_json::from_slice(bytes)
            .map_err(|error| Error::input(format!("an EvalConfig is no JSON: {error}")))?
    } else {
        let text = str::from_utf8(bytes).map_err(|_| Error::input("an EvalConfig is not UTF-8"))?;
        text::parse(text)?
    };
    let mut config = Config::default();
    let mut top = Object::new(&json, "")?;
    for item in top.list("model_specs")? {
        let (model, is_baseline) = model_spec(item)?;
        if is_baseline {
            config.baseline = Some(model);
        } else if config.model == ModelSpec::default() {
            config.model = model;
        } else {
            return Err(unsupported("model_specs", "several candidates")
                .with_hint("Evaluate one model at a time, beside a baseline."));
        }
    }
    for item in top.list("slicing_specs")? {
        config.slices.push(slicing_spec(item)?);
    }
    top.refuse("cross_slicing_specs")?;
    let mut include_defaults = false;
    if let Some(options) = top.object("options")? {
        (include_defaults, config.min_slice_size, config.intervals) = read_options(options)?;
    }
    for item in top.list("metrics_specs")? {
        metrics_spec(item, task, &mut config)?;
    }
    top.finish()?;
    if include_defaults || config.metrics.is_empty() {
        for spec in default_metrics(task) {
            if !config.metrics.iter().any(|other| other.key == spec.key) {
                config.metrics.push(spec);
            }
        }
    }
    for (i, spec) in config.metrics.iter().enumerate() {
        if config.metrics[..i].iter().any(|other| other.key == spec.key) {
            return Err(Error::invalid(format!("two metrics are called `{}`", spec.key))
                .with_hint("Give one of them a `name` in its `config`."));
        }
    }
    for spec in &config.thresholds {
        if !config.metrics.iter().any(|metric| metric.key == spec.metric) {
            let names: Vec<_> = config.metrics.iter().map(|metric| metric.key.as_str()).collect();
            return Err(Error::invalid(format!("no metric is called `{}`", spec.metric))
                .with_detail("A threshold names it.")
                .with_hint(format!("These are computed: {}.", names.join(", "))));
        }
    }
    Ok(config)
}

fn model_spec(item: Object<'_>) -> Result<(ModelSpec, bool)> {
    let mut item = item;
    for name in ["label_keys", "prediction_keys", "example_weight_keys"] {
        item.refuse(name)?;
    }
    for name in [
        "name",
        "model_type",
        "signature_name",
        "signature_names",
        "preprocessing_function_names",
        "padding_options",
        "inference_batch_size",
    ] {
        item.take(name);
    }
    let model = ModelSpec {
        label: item.text("label_key")?,
        prediction: item.text("prediction_key")?,
        weight: item.text("example_weight_key")?,
    };
    let is_baseline = item.flag("is_baseline")?;
    item.finish()?;
    Ok((model, is_baseline))
}

fn slicing_spec(item: Object<'_>) -> Result<SliceSpec> {
    let mut item = item;
    item.refuse("slice_keys_sql")?;
    let mut features = Vec::new();
    if let Some((keys, path)) = item.take("feature_keys") {
        for key in items(keys) {
            let key = key.as_str().ok_or_else(|| wrong(&path, "a list of names"))?;
            features.push((key.to_owned(), Vec::new()));
        }
    }
    if let Some((values, path)) = item.take("feature_values") {
        for (key, value) in entries(values, &path)? {
            let value = value.as_str().ok_or_else(|| wrong(&path, "an object of texts"))?;
            features.push((key.clone(), vec![value.to_owned()]));
        }
    }
    item.finish()?;
    Ok(SliceSpec { features })
}

fn read_options(options: Object<'_>) -> Result<(bool, Option<u64>, Option<Method>)> {
    let mut options = options;
    let include = options.flag("include_default_metrics")?;
    let is_wanted = options.flag("compute_confidence_intervals")?;
    let mut method = Method::Jackknife;
    if let Some(mut intervals) = options.object("confidence_intervals")? {
        method = match intervals.text("method")?.as_deref() {
            None | Some("JACKKNIFE" | "UNKNOWN_CONFIDENCE_INTERVAL_METHOD") => Method::Jackknife,
            Some("POISSON_BOOTSTRAP") => Method::PoissonBootstrap,
            Some(other) => {
                return Err(wrong(
                    &format!("options.confidence_intervals.method `{other}`"),
                    "JACKKNIFE or POISSON_BOOTSTRAP",
                ));
            }
        };
        intervals.finish()?;
    }
    let least = options.number("min_slice_size")?;
    options.take("disabled_outputs");
    options.finish()?;
    let least = match least {
        Some(n) if n < 0.0 || n.fract() != 0.0 => {
            return Err(wrong("options.min_slice_size", "a number of examples"));
        }
        least => least.map(|n| n as u64),
    };
    Ok((include, least, is_wanted.then_some(method)))
}

fn metrics_spec(item: Object<'_>, task: Task, config: &mut Config) -> Result<()> {
    let mut item = item;
    for name in ["query_key", "cross_slice_thresholds", "output_names", "output_weights"] {
        item.refuse(name)?;
    }
    item.take("model_names");
    item.take("example_weights");
    let mut classes = Vec::new();
    if let Some(mut binarize) = item.object("binarize")? {
        binarize.refuse("top_k_list")?;
        binarize.refuse("k_list")?;
        if let Some((ids, path)) = binarize.take("class_ids") {
            let ids = items(ids.get("values").unwrap_or(ids));
            if ids.iter().any(|id| id.is_object() || id.is_array()) {
                return Err(wrong(&path, "a list of classes"));
            }
            let name = |id: &Json| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            classes = ids.iter().map(name).collect();
        }
        binarize.finish()?;
    }
    let mut averages = Vec::new();
    if let Some(mut aggregate) = item.object("aggregate")? {
        aggregate.refuse("class_weights")?;
        aggregate.refuse("top_k_list")?;
        for (name, average) in [
            ("micro_average", Average::Micro),
            ("macro_average", Average::Macro),
            ("weighted_macro_average", Average::Weighted),
        ] {
            if aggregate.flag(name)? {
                averages.push(average);
            }
        }
        aggregate.finish()?;
    }
    for metric in item.list("metrics")? {
        let (specs, thresholds) = metric_config(metric, task, &averages, &classes)?;
        config.metrics.extend(specs);
        config.thresholds.extend(thresholds);
    }
    if let Some((thresholds, path)) = item.take("thresholds") {
        for (metric, threshold) in entries(thresholds, &path)? {
            let threshold = read_threshold(Object::new(threshold, &format!("{path}.{metric}"))?)?;
            config.thresholds.push(ThresholdSpec {
                metric: metric.clone(),
                slices: Vec::new(),
                threshold,
            });
        }
    }
    if let Some((per_slice, path)) = item.take("per_slice_thresholds") {
        for (metric, value) in entries(per_slice, &path)? {
            let path = format!("{path}.{metric}");
            let list = match value.get("thresholds") {
                Some(_) => Object::new(value, &path)?.list("thresholds")?,
                None => objects(value, &path)?,
            };
            for one in list {
                config.thresholds.push(slice_threshold(one, &metric)?);
            }
        }
    }
    item.finish()
}

fn metric_config(
    item: Object<'_>,
    task: Task,
    averages: &[Average],
    classes: &[String],
) -> Result<(Vec<MetricSpec>, Vec<ThresholdSpec>)> {
    let mut item = item;
    item.take("module");
    item.refuse("cross_slice_thresholds")?;
    let path = item.path.clone();
    let name =
        item.text("class_name")?.ok_or_else(|| wrong(&path, "an object with `class_name`"))?;
    let metric = find_metric(&name)?;
    let mut own_name = None;
    let mut parameters = Parameters::default();
    if let Some((json, path)) = item.take("config") {
        let parsed: Json;
        let json = match json {
            Json::String(text) if text.is_empty() => &Json::Object(Map::new()),
            Json::String(text) => {
                parsed = serde_json::from_str(text).map_err(|error| {
                    Error::input(format!("`{path}` holds a text that is no JSON: {error}"))
                })?;
                &parsed
            }
            json => json,
        };
        (own_name, parameters) = read_parameters(Object::new(json, &path)?, metric)?;
    }
    let specs = instances(metric, task, own_name.as_deref(), &parameters, averages, classes)?;
    let mut thresholds = Vec::new();
    if let Some(object) = item.object("threshold")? {
        let threshold = read_threshold(object)?;
        for spec in &specs {
            thresholds.push(ThresholdSpec {
                metric: spec.key.clone(),
                slices: Vec::new(),
                threshold,
            });
        }
    }
    for object in item.list("per_slice_thresholds")? {
        let of_slices = slice_threshold(object, "")?;
        for spec in &specs {
            thresholds.push(ThresholdSpec { metric: spec.key.clone(), ..of_slices.clone() });
        }
    }
    item.finish()?;
    Ok((specs, thresholds))
}

/// The metric once, or once for each average and class.
fn instances(
    metric: &'static Metric,
    task: Task,
    own_name: Option<&str>,
    parameters: &Parameters,
    averages: &[Average],
    classes: &[String],
) -> Result<Vec<MetricSpec>> {
    let key = own_name.unwrap_or(metric.key);
    let spec = |key: String, parameters| MetricSpec { metric, key, parameters, is_asked_for: true };
    let one = spec(key.to_owned(), parameters.clone());
    let of_classes = matches!(one.kind(task)?, Kind::Classes(_)) && metric.takes("average");
    if !of_classes || (averages.is_empty() && classes.is_empty()) {
        return Ok(vec![one]);
    }
    let averaged = averages.iter().map(|&average| {
        let parameters = Parameters { average: Some(average), ..parameters.clone() };
        spec(averaged(key, average), parameters)
    });
    let single = classes.iter().map(|class| {
        let parameters = Parameters { class: Some(class.clone()), ..parameters.clone() };
        spec(format!("{key}_class_{class}"), parameters)
    });
    Ok(averaged.chain(single).collect())
}

/// The metric of a class name or a key.
pub(super) fn find_metric(name: &str) -> Result<&'static Metric> {
    let is = |metric: &&Metric| {
        metric.name == name || metric.key == name || metric.aliases.contains(&name)
    };
    METRICS.iter().find(is).ok_or_else(|| {
        let names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        Error::new(ErrorKind::Unsupported, format!("there is no metric `{name}`"))
            .with_hint(format!("There are: {}.", names.join(", ")))
    })
}

fn read_parameters(config: Object<'_>, metric: &Metric) -> Result<(Option<String>, Parameters)> {
    let mut config = config;
    let name = config.text("name")?;
    config.take("dtype");
    // Thresholds of Keras's approximation: ours is exact at every score.
    config.take("num_thresholds");
    let mut parameters = Parameters::default();
    if metric.takes("thresholds")
        && let Some((json, path)) = config.take("thresholds")
    {
        let list = json.as_array().map_or_else(|| vec![json], |list| list.iter().collect());
        for json in list {
            let number = json.as_f64().filter(|x| !x.is_nan());
            parameters.thresholds.push(number.ok_or_else(|| wrong(&path, "numbers"))?);
        }
    }
    if metric.takes("thresholds")
        && let Some(threshold) = config.number("threshold")?
    {
        parameters.thresholds.push(threshold);
    }
    if metric.takes("num_buckets")
        && let Some(n) = config.number("num_buckets")?
    {
        if !(1.0..=10_000.0).contains(&n) || n.fract() != 0.0 {
            return Err(wrong(&format!("{}.num_buckets", config.path), "a number from 1 to 10000"));
        }
        parameters.num_buckets = Some(n as u32);
    }
    for at in ["sensitivity", "specificity", "precision", "recall"] {
        if metric.takes(at)
            && let Some(x) = config.number(at)?
        {
            if !(0.0..=1.0).contains(&x) {
                return Err(wrong(&format!("{}.{at}", config.path), "a number from 0 to 1"));
            }
            parameters.at = Some(x);
        }
    }
    if metric.takes("average")
        && let Some(average) = config.text("average")?
    {
        parameters.average = Some(match average.as_str() {
            "macro" => Average::Macro,
            "micro" => Average::Micro,
            "weighted" => Average::Weighted,
            _ => return Err(wrong(&config.path, "`average` macro, micro or weighted")),
        });
    }
    if metric.takes("class")
        && let Some((class, _)) = config.take("class_id")
    {
        parameters.class = Some(class.as_str().map_or_else(|| class.to_string(), str::to_owned));
    }
    config.finish()?;
    Ok((name, parameters))
}

fn slice_threshold(item: Object<'_>, metric: &str) -> Result<ThresholdSpec> {
    let mut item = item;
    let mut slices = Vec::new();
    for spec in item.list("slicing_specs")? {
        slices.push(slicing_spec(spec)?);
    }
    let path = item.path.clone();
    let object = item.object("threshold")?;
    let threshold =
        read_threshold(object.ok_or_else(|| wrong(&path, "an object with `threshold`"))?)?;
    item.finish()?;
    Ok(ThresholdSpec { metric: metric.to_owned(), slices, threshold })
}

fn read_threshold(object: Object<'_>) -> Result<Threshold> {
    let mut object = object;
    let mut threshold = Threshold::default();
    if let Some(mut value) = object.object("value_threshold")? {
        let lower = value.number("lower_bound")?.unwrap_or(f64::NEG_INFINITY);
        let upper = value.number("upper_bound")?.unwrap_or(f64::INFINITY);
        threshold.value = Some(ValueBounds { lower, upper });
        value.finish()?;
    }
    if let Some(mut change) = object.object("change_threshold")? {
        let path = change.path.clone();
        let direction = match change.text("direction")?.as_deref() {
            Some("HIGHER_IS_BETTER") => Direction::HigherIsBetter,
            Some("LOWER_IS_BETTER") => Direction::LowerIsBetter,
            _ => {
                return Err(wrong(
                    &format!("{path}.direction"),
                    "HIGHER_IS_BETTER or LOWER_IS_BETTER",
                ));
            }
        };
        let (absolute, relative) = (change.number("absolute")?, change.number("relative")?);
        if absolute.is_none() && relative.is_none() {
            return Err(wrong(&path, "an object with `absolute` or `relative`"));
        }
        threshold.change = Some(Change { direction, absolute, relative });
        change.finish()?;
    }
    let path = object.path.clone();
    object.finish()?;
    if threshold == Threshold::default() {
        return Err(wrong(&path, "an object with `value_threshold` or `change_threshold`"));
    }
    Ok(threshold)
}

/// A JSON object whose fields are taken one by one; what is left over is an error.
struct Object<'a> {
    path: String,
    fields: Vec<(String, &'a Json)>,
}

impl<'a> Object<'a> {
    fn new(json: &'a Json, path: &str) -> Result<Self> {
        let map = json.as_object().ok_or_else(|| wrong(path, "an object"))?;
        let fields = map.iter().map(|(name, value)| (snake_case(name), value)).collect();
        Ok(Object { path: path.to_owned(), fields })
    }

    fn place(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The field and its path; `null` is no field.
    fn take(&mut self, name: &str) -> Option<(&'a Json, String)> {
        let at = self.fields.iter().position(|(field, _)| field == name)?;
        let (_, value) = self.fields.remove(at);
        (!value.is_null()).then(|| (value, self.place(name)))
    }

    fn object(&mut self, name: &str) -> Result<Option<Object<'a>>> {
        self.take(name).map(|(value, path)| Object::new(value, &path)).transpose()
    }

    fn list(&mut self, name: &str) -> Result<Vec<Object<'a>>> {
        self.take(name).map_or(Ok(Vec::new()), |(value, path)| objects(value, &path))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>> {
        let Some((value, path)) = self.take(name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| wrong(&path, "a text"))?;
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    /// A flag, as it is or wrapped as `{"value": true}`; false where it is not there.
    fn flag(&mut self, name: &str) -> Result<bool> {
        let Some((value, path)) = self.take(name) else { return Ok(false) };
        unwrapped(value).as_bool().ok_or_else(|| wrong(&path, "true or false"))
    }

    /// A number, as it is or wrapped as `{"value": 1}`.
    fn number(&mut self, name: &str) -> Result<Option<f64>> {
        let Some((value, path)) = self.take(name) else { return Ok(None) };
        let number = match unwrapped(value) {
            Json::String(text) => text.parse().ok().filter(|x: &f64| !x.is_nan()),
            value => value.as_f64(),
        };
        number.map(Some).ok_or_else(|| wrong(&path, "a number"))
    }

    fn refuse(&mut self, name: &str) -> Result<()> {
        match self.take(name) {
            Some((value, path)) if *value != Json::Array(Vec::new()) => {
                Err(unsupported(&path, "this field"))
            }
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<()> {
        match self.fields.first() {
            None => Ok(()),
            Some((name, _)) => Err(Error::input(format!(
                "an EvalConfig has an unknown field `{}`",
                self.place(name)
            ))),
        }
    }
}

fn objects<'a>(value: &'a Json, path: &str) -> Result<Vec<Object<'a>>> {
    let at = |(i, item)| Object::new(item, &format!("{path}[{i}]"));
    items(value).iter().enumerate().map(at).collect()
}

/// The items of a list; text format writes a list of one as its item.
fn items(value: &Json) -> &[Json] {
    value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice)
}

/// The entries of a map: an object, or in text format messages of `key` and `value`.
fn entries<'a>(value: &'a Json, path: &str) -> Result<Vec<(String, &'a Json)>> {
    let entry = |item: &'a Json| {
        let (key, value) = (item.get("key")?.as_str()?, item.get("value")?);
        (item.as_object()?.len() == 2).then(|| (key.to_owned(), value))
    };
    if let Some(entries) = items(value).iter().map(entry).collect::<Option<Vec<_>>>() {
        return Ok(entries);
    }
    let map = value.as_object().ok_or_else(|| wrong(path, "an object"))?;
    Ok(map.iter().map(|(key, value)| (key.clone(), value)).collect())
}

fn unwrapped(value: &Json) -> &Json {
    value.get("value").unwrap_or(value)
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn wrong(path: &str, expected: &str) -> Error {
    let place = if path.is_empty() { "an EvalConfig".to_owned() } else { format!("`{path}`") };
    Error::input(format!("{place} is not {expected}"))
}

fn unsupported(path: &str, what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("`{path}` of an EvalConfig is not supported"))
        .with_detail(format!("Nothing is computed for {what}."))
}
