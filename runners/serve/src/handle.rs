//! `handle`: a request in, an answer out, without any network.

use std::sync::Arc;

use model::Task;
use percent_encoding::percent_decode_str;

use crate::answer;
use crate::batch::{Step, settled};
use crate::failure::{Code, Failure};
use crate::metadata::{metadata, status};
use crate::models::{Choice, Models};
use crate::request::{Body, Rows};
use crate::servable::{DEFAULT, Method, Servable, Signature};

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP's code.
    pub status: u16,
    /// JSON; nothing for paths that are none of ours.
    pub body: Vec<u8>,
    /// What it was about, for metrics.
    pub about: About,
}

/// What a request was about. Names that are not served are left out, so that strangers make up none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The model.
    pub model: String,
    /// The version that has answered.
    pub version: Option<u64>,
    /// `predict`, `classify`, `regress`, `multi_inference`, `status` or `metadata`.
    pub method: &'static str,
    /// Rows that were answered.
    pub rows: usize,
}

/// Answers a request to the paths of TensorFlow Serving's REST API. `path` is as it came, without a query.
pub fn handle(models: &Models, method: &str, path: &str, body: &[u8]) -> Response {
    let mut about = About::default();
    if !is_ours(path) {
        return Response { status: Code::NotFound.http(), body: Vec::new(), about };
    }
    let answer = begin(models, method, path, body, &mut about).and_then(Step::alone);
    let (about, answer) = settled(about, answer);
    match answer {
        Ok(body) => Response { status: 200, body, about },
        Err(failure) => Response { status: failure.code.http(), body: failure.body(), about },
    }
}

/// Whether a path is one of the API, whatever it asks for.
pub(crate) fn is_ours(path: &str) -> bool {
    strip(path, "/v1/").is_some()
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    model: String,
    choice: Choice,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Method(Method),
    Status,
    Metadata,
}

/// Reads a request, and answers it as far as no network is needed for it.
pub(crate) fn begin(
    models: &Models,
    method: &str,
    path: &str,
    body: &[u8],
    about: &mut About,
) -> Result<Step, Failure> {
    let route = route(method, path)?
        .ok_or_else(|| Failure::invalid(format!("Malformed request: {method} {path}")))?;
    let Route { model, choice, what } = route;
    if models.get(&model).is_some() {
        about.model.clone_from(&model);
    }
    let json = |value: serde_json::Value| Step::Answered(value.to_string().into_bytes());
    match what {
        What::Status | What::Metadata if model.is_empty() => {
            Err(Failure::invalid("Missing model name in request."))
        }
        What::Status => {
            about.method = "status";
            Ok(json(status(models, &model, &choice)?))
        }
        What::Metadata => {
            about.method = "metadata";
            let (version, servable) = models.find(&model, &choice)?;
            about.version = Some(version);
            Ok(json(metadata(&model, version, &servable)))
        }
        What::Method(method) => {
            about.method = method.name();
            let body = Body::read(body)?;
            if method != Method::Predict {
                body.check_examples()?;
            }
            let (version, servable) = models.find(&model, &choice)?;
            about.version = Some(version);
            match method {
                Method::Predict => predict(&servable, &body, about),
                Method::Classify | Method::Regress => score(&servable, &body, method, about),
            }
        }
    }
}

fn predict(servable: &Arc<Servable>, body: &Body<'_>, about: &mut About) -> Result<Step, Failure> {
    let name = body.signature.as_str();
    let signature = servable.signature(name).ok_or_else(|| {
        Failure::invalid(format!("Serving signature name: \"{name}\" not found in signature def"))
    })?;
    if signature.inputs().is_empty() {
        let name = if name.is_empty() { "DEFAULT" } else { name };
        return Err(Failure::invalid(format!("Failed to get input map for signature: {name}")));
    }
    let Rows { n, tensors, format } = body.predict(&signature)?;
    about.rows = n;
    if !signature.predicts() {
        let outputs = signature.run(n, tensors)?;
        return Ok(Step::Answered(answer::predictions(&outputs, n, format)));
    }
    Ok(Step::rows(servable, n, tensors, move |servable, scores| {
        Ok(answer::predictions(&servable.answers(scores)?, n, format))
    }))
}

/// Classifies or regresses.
fn score(
    servable: &Arc<Servable>,
    body: &Body<'_>,
    method: Method,
    about: &mut About,
) -> Result<Step, Failure> {
    let Scorer { signature, classes } = Scorer::of(servable, &body.signature, method)?;
    let Rows { n, tensors, .. } = body.examples(&signature)?;
    about.rows = n;
    Ok(Step::rows(servable, n, tensors, move |_, scores| {
        Ok(match method {
            Method::Regress => answer::regressions(&scores),
            _ => answer::classes(classes.of(scores).chunks_exact(classes.width())),
        })
    }))
}

/// What classifies or regresses.
pub(crate) struct Scorer<'a> {
    /// What is read.
    pub(crate) signature: Signature<'a>,
    /// How it is answered.
    pub(crate) classes: Classes,
}

/// A task, as classes.
#[derive(Clone, Copy)]
pub(crate) struct Classes(Task);

impl Classes {
    /// How many there are.
    pub(crate) fn width(self) -> usize {
        match self.0 {
            Task::Regression => 1,
            Task::Binary => 2,
            Task::Multiclass { classes } => classes.max(1),
        }
    }

    /// The scores of rows, one for each class.
    pub(crate) fn of(self, scores: Vec<f32>) -> Vec<f32> {
        match self.0 {
            Task::Binary => scores.iter().flat_map(|score| [1.0 - score, *score]).collect(),
            Task::Multiclass { .. } | Task::Regression => scores,
        }
    }
}

impl<'a> Scorer<'a> {
    /// What answers to a signature's name, if it has this method.
    pub(crate) fn of(servable: &'a Servable, name: &str, method: Method) -> Result<Self, Failure> {
        if !["", DEFAULT, method.name()].contains(&name) {
            let known = servable.signatures().into_iter().find(|(known, _)| *known == name);
            return Err(Failure::invalid(match known {
                Some((_, other)) => other_method(method, other),
                None => format!("No signature was found with the name: {name}"),
            }));
        }
        let its_own = match servable.task() {
            None => Method::Predict,
            Some(Task::Regression) => Method::Regress,
            Some(Task::Binary | Task::Multiclass { .. }) => Method::Classify,
        };
        match (servable.task(), servable.signature(DEFAULT)) {
            (Some(task), Some(signature)) if its_own == method => {
                Ok(Scorer { signature, classes: Classes(task) })
            }
            _ => Err(Failure::invalid(other_method(method, its_own))),
        }
    }
}

fn other_method(wanted: Method, found: Method) -> String {
    let what = if wanted == Method::Regress { "regression" } else { "classification" };
    format!(
        "Expected {what} signature method_name to be tensorflow/serving/{}. Was: \
         tensorflow/serving/{}",
        wanted.name(),
        found.name()
    )
}

/// What is behind the beginning of a path, whose letters may be of any case.
fn strip<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = path.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Takes a path apart; `None` where it is none of the API's.
fn route(method: &str, path: &str) -> Result<Option<Route>, Failure> {
    let Some(rest) = strip(path, "/v1/models") else { return Ok(None) };
    let (of, what) = match method {
        "POST" => {
            let Some((of, action)) = rest.rsplit_once(':') else { return Ok(None) };
            let all = [Method::Predict, Method::Classify, Method::Regress];
            let method = all.into_iter().find(|method| action.eq_ignore_ascii_case(method.name()));
            let Some(method) = method else { return Ok(None) };
            (of, What::Method(method))
        }
        "GET" => match rest.rsplit_once('/') {
            Some((of, last)) if last.eq_ignore_ascii_case("metadata") && !of.is_empty() => {
                (of, What::Metadata)
            }
            _ => (rest, What::Status),
        },
        _ => return Ok(None),
    };
    let parts: Vec<&str> = of.split('/').skip(1).collect();
    if parts.iter().any(|part| part.is_empty() || part.contains(':')) {
        return Ok(None);
    }
    let (name, choice) = match parts.as_slice() {
        [] if of.is_empty() && what == What::Status => ("", Choice::Latest),
        [name] => (*name, Choice::Latest),
        [name, word, number]
            if word.eq_ignore_ascii_case("versions")
                && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            let version = number.parse::<i64>().map_err(|_| {
                Failure::invalid(format!("Failed to convert version: {number} to numeric."))
            })?;
            (*name, Choice::Number(version as u64))
        }
        [name, word, label] if word.eq_ignore_ascii_case("labels") => {
            (*name, Choice::Label(decoded(label)))
        }
        _ => return Ok(None),
    };
    Ok(Some(Route { model: decoded(name), choice, what }))
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_tensorflow_serving_does() {
        let check = |method: &str, path: &str, expected: Option<(&str, Choice, What)>| {
            let found = route(method, path).unwrap();
            let expected = expected.map(|(model, choice, what)| Route {
                model: model.to_owned(),
                choice,
                what,
            });
            assert_eq!(found, expected, "{method} {path}");
        };
        let predict = What::Method(Method::Predict);
        let number = Choice::Number(50);
        check("POST", "/v1/models/foo:predict", Some(("foo", Choice::Latest, predict)));
        check("POST", "/V1/Models/foo:PREDICT", Some(("foo", Choice::Latest, predict)));
        check("POST", "/v1/models/a%2Fb%3a:predict", Some(("a/b:", Choice::Latest, predict)));
        check("POST", "/v1/models/foo/versions/50:predict", Some(("foo", number.clone(), predict)));
        let label = Choice::Label("s t".to_owned());
        let classify = What::Method(Method::Classify);
        check("POST", "/v1/models/foo/labels/s%20t:classify", Some(("foo", label, classify)));
        check("GET", "/v1/models", Some(("", Choice::Latest, What::Status)));
        check("GET", "/v1/models/foo", Some(("foo", Choice::Latest, What::Status)));
        check("GET", "/v1/models/metadata", Some(("metadata", Choice::Latest, What::Status)));
        check("GET", "/v1/models/foo/metadata", Some(("foo", Choice::Latest, What::Metadata)));
        let path = "/v1/models/foo/versions/50/metadata";
        check("GET", path, Some(("foo", number, What::Metadata)));
        for path in [
            "/v1/foo",
            "/v1/models",
            "/v1/models/",
            "/v1/models/:predict",
            "/v1/models/foo",
            "/v1/models/foo:explain",
            "/v1/models/foo/version/50:predict",
            "/v1/models/foo/versions/HELLO:regress",
            "/v1/models/foo/label/x:regress",
            "/v1/models/foo/versions/50/labels/x:regress",
            "/v1/models/foo/metadata",
            "/v1/models/foo/bar:predict",
            "/v1/models/foo:bar:predict",
        ] {
            check("POST", path, None);
        }
        for path in ["/v1/models/debug/model_name", "/v1/models/foo:predict", "/v1/models/foo/"] {
            check("GET", path, None);
        }
        check("PUT", "/v1/models/foo:predict", None);
        let error = route("POST", "/v1/models/foo/versions/18446744073709551615:regress");
        let message = "Failed to convert version: 18446744073709551615 to numeric.";
        assert_eq!(error.unwrap_err().message, message);
    }
}
