//! `grpc`: a call of gRPC in, an answer out, without any network: `tensorflow.serving.PredictionService` and
//! `ModelService`.

mod messages;
mod tensors;
pub(crate) mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use messages::{
    Any, Class, ClassificationRequest, ClassificationResponse, ClassificationResult,
    Classifications, ExampleList, GetModelMetadataRequest, GetModelMetadataResponse,
    GetModelStatusRequest, GetModelStatusResponse, HealthCheckRequest, HealthCheckResponse,
    InferenceResult, Input, ModelSpec, ModelVersionStatus, MultiInferenceRequest,
    MultiInferenceResponse, PredictRequest, PredictResponse, Regression, RegressionResponse,
    RegressionResult, SignatureDefMap, StatusProto,
};
pub(crate) use messages::{DimProto, SignatureDef, TensorInfo, TensorShapeProto};
use prost::Message;
use prost::bytes::Bytes;
pub(crate) use tensors::number_of;
use transform::Tensor;

use crate::batch::{Step, settled};
use crate::example;
use crate::failure::{Code, Failure};
use crate::handle::{About, Classes, Scorer};
use crate::metadata::{signature_defs, versions};
use crate::models::{Choice, Models};
use crate::servable::{DEFAULT, Method, Output, Servable};

/// Answers a call of a method, such as `/tensorflow.serving.PredictionService/Predict`, whose message is
/// `request`: with a message, and what it was about, for metrics.
pub fn grpc(models: &Models, path: &str, request: Bytes) -> (About, Result<Vec<u8>, Failure>) {
    let mut about = About::default();
    let answer = begin(models, path, request, &mut about).and_then(Step::alone);
    settled(about, answer)
}

/// Reads a call, and answers it as far as no network is needed for it.
pub(crate) fn begin(
    models: &Models,
    path: &str,
    request: Bytes,
    about: &mut About,
) -> Result<Step, Failure> {
    let unimplemented = |what: String| Err(Failure::new(Code::Unimplemented, what));
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let mut call = Call { models, about };
    match (service, method) {
        ("tensorflow.serving.PredictionService", "Predict") => {
            call.about.method = Method::Predict.name();
            call.predict(&read(request)?)
        }
        ("tensorflow.serving.PredictionService", "Classify") => {
            call.about.method = Method::Classify.name();
            call.classify(&read(request)?)
        }
        ("tensorflow.serving.PredictionService", "Regress") => {
            call.about.method = Method::Regress.name();
            call.regress(&read(request)?)
        }
        ("tensorflow.serving.PredictionService", "MultiInference") => {
            call.about.method = "multi_inference";
            call.multi_inference(&read(request)?)
        }
        ("tensorflow.serving.PredictionService", "GetModelMetadata") => {
            call.about.method = "metadata";
            call.metadata(&read(request)?)
        }
        ("tensorflow.serving.ModelService", "GetModelStatus") => {
            call.about.method = "status";
            call.status(&read(request)?)
        }
        ("tensorflow.serving.ModelService", "HandleReloadConfigRequest") => unimplemented(
            "models are named on the command line; their directories are looked at for new versions"
                .to_owned(),
        ),
        _ => unimplemented(format!("there is no method {path}")),
    }
}

/// Answers `grpc.health.v1.Health/Check`: of all models, or of one that is named.
pub(crate) fn health(models: &Models, request: Bytes) -> Result<Vec<u8>, Failure> {
    let HealthCheckRequest { service } = read(request)?;
    let is_ready = match (service.as_str(), models.get(&service)) {
        ("" | "tensorflow.serving.PredictionService" | "tensorflow.serving.ModelService", _) => {
            models.is_ready()
        }
        (_, Some(model)) => model.is_ready(),
        (_, None) => {
            return Err(Failure::new(Code::NotFound, format!("there is no service {service}")));
        }
    };
    // SERVING and NOT_SERVING.
    Ok(HealthCheckResponse { status: if is_ready { 1 } else { 2 } }.encode_to_vec())
}

fn read<M: Message + Default>(message: Bytes) -> Result<M, Failure> {
    M::decode(message).map_err(|e| Failure::invalid(format!("cannot read the message: {e}")))
}

type Answer = Result<Step, Failure>;

/// A call that is being answered.
struct Call<'a> {
    models: &'a Models,
    about: &'a mut About,
}

impl Call<'_> {
    /// The model that is asked for, and which of its versions.
    fn spec<'s>(&mut self, spec: Option<&'s ModelSpec>) -> Result<(&'s str, Choice), Failure> {
        let spec = spec.ok_or_else(|| Failure::invalid("Missing ModelSpec"))?;
        if spec.name.is_empty() {
            return Err(Failure::invalid("ModelSpec has no name specified."));
        }
        if self.models.get(&spec.name).is_some() {
            self.about.model.clone_from(&spec.name);
        }
        let choice = match (spec.version, &spec.version_label) {
            (Some(number), _) => Choice::Number(number as u64),
            (None, Some(label)) => Choice::Label(label.clone()),
            (None, None) => Choice::Latest,
        };
        Ok((&spec.name, choice))
    }

    /// The version that answers; what it is called in the answer; and the name of the signature.
    fn find<'s>(
        &mut self,
        spec: Option<&'s ModelSpec>,
    ) -> Result<(Arc<Servable>, ModelSpec, &'s str), Failure> {
        let (name, choice) = self.spec(spec)?;
        let (version, servable) = self.models.find(name, &choice)?;
        self.about.version = Some(version);
        let signature = match spec.map_or("", |spec| &spec.signature_name) {
            "" => DEFAULT,
            name => name,
        };
        let used = ModelSpec {
            name: name.to_owned(),
            version: Some(version as i64),
            signature_name: signature.to_owned(),
            version_label: None,
        };
        Ok((servable, used, signature))
    }

    fn predict(&mut self, request: &PredictRequest) -> Answer {
        let (servable, used, name) = self.find(request.model_spec.as_ref())?;
        let signature = servable.signature(name).ok_or_else(|| {
            let what = format!("Serving signature key \"{name}\" not found.");
            Failure::new(Code::FailedPrecondition, what)
        })?;
        let known = signature.outputs();
        let mut wanted = BTreeSet::new();
        for name in &request.output_filter {
            if !known.iter().any(|(known, _)| known == name) {
                let known: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
                return Err(Failure::invalid(format!(
                    "output tensor alias not found in signature: {name} Outputs expected to be in the \
                     set {{{}}}.",
                    known.join(",")
                )));
            }
            if !wanted.insert(name.clone()) {
                return Err(Failure::invalid(format!("duplicate output tensor alias: {name}")));
            }
        }
        let (n, tensors) = tensors::rows(&request.inputs, &signature)?;
        self.about.rows = n;
        let answer = move |outputs: Vec<Output<'_>>| {
            let mut all = BTreeMap::new();
            for output in outputs {
                if wanted.is_empty() || wanted.contains(&*output.name) {
                    tensors::write(&output, &mut all);
                }
            }
            PredictResponse { outputs: all, model_spec: Some(used) }.encode_to_vec()
        };
        if !signature.predicts() {
            return Ok(Step::Answered(answer(signature.run(n, tensors)?)));
        }
        Ok(Step::rows(&servable, n, tensors, move |servable, scores| {
            Ok(answer(servable.answers(scores)?))
        }))
    }

    fn classify(&mut self, request: &ClassificationRequest) -> Answer {
        let (servable, used, name) = self.find(request.model_spec.as_ref())?;
        let scorer = Scorer::of(&servable, name, Method::Classify)?;
        let (n, tensors) = self.examples(&scorer, request.input.as_ref())?;
        let classes = scorer.classes;
        Ok(Step::rows(&servable, n, tensors, move |_, scores| {
            let result = Some(classified(classes, scores));
            Ok(ClassificationResponse { result, model_spec: Some(used) }.encode_to_vec())
        }))
    }

    fn regress(&mut self, request: &ClassificationRequest) -> Answer {
        let (servable, used, name) = self.find(request.model_spec.as_ref())?;
        let scorer = Scorer::of(&servable, name, Method::Regress)?;
        let (n, tensors) = self.examples(&scorer, request.input.as_ref())?;
        Ok(Step::rows(&servable, n, tensors, move |_, scores| {
            let result = Some(regressed(scores));
            Ok(RegressionResponse { result, model_spec: Some(used) }.encode_to_vec())
        }))
    }

    /// All tasks have the version of the first, so that they are about one model.
    fn multi_inference(&mut self, request: &MultiInferenceRequest) -> Answer {
        let first = request.tasks.first().and_then(|task| task.model_spec.as_ref());
        let (servable, used, _) = self.find(first)?;
        let (input, mut names) = (request.input.as_ref(), BTreeSet::new());
        let mut results = Vec::new();
        for task in &request.tasks {
            let spec = task.model_spec.as_ref();
            let (model, signature) =
                spec.map_or(("", ""), |spec| (&spec.name, spec.signature_name.as_str()));
            let signature = if signature.is_empty() { DEFAULT } else { signature };
            if model.is_empty() {
                return Err(Failure::invalid("Found ModelSpec with an empty model name."));
            }
            if model != used.name {
                return Err(Failure::invalid(
                    "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
                ));
            }
            if !names.insert(signature) {
                let what = format!("Duplicate evaluation of signature: {signature}");
                return Err(Failure::invalid(what));
            }
            let signature_name = signature.to_owned();
            let model_spec = Some(ModelSpec { signature_name, ..used.clone() });
            let mut result = InferenceResult { model_spec, ..InferenceResult::default() };
            match task.method_name.as_str() {
                "tensorflow/serving/classify" => {
                    let scorer = Scorer::of(&servable, signature, Method::Classify)?;
                    let (n, tensors) = self.examples(&scorer, input)?;
                    let scores = servable.scores(n, tensors)?;
                    result.classification_result = Some(classified(scorer.classes, scores));
                }
                "tensorflow/serving/regress" => {
                    let scorer = Scorer::of(&servable, signature, Method::Regress)?;
                    let (n, tensors) = self.examples(&scorer, input)?;
                    result.regression_result = Some(regressed(servable.scores(n, tensors)?));
                }
                other => {
                    let what = format!("Unsupported signature method_name: {other}");
                    return Err(Failure::new(Code::Unimplemented, what));
                }
            }
            results.push(result);
        }
        Ok(Step::Answered(MultiInferenceResponse { results }.encode_to_vec()))
    }

    /// The rows that are to be classified or regressed.
    fn examples(
        &mut self,
        scorer: &Scorer<'_>,
        input: Option<&Input>,
    ) -> Result<(usize, Vec<Tensor>), Failure> {
        let input = input.and_then(|input| {
            input.example_list_with_context.as_ref().or(input.example_list.as_ref())
        });
        let Some(ExampleList { examples, context }) =
            input.filter(|list| !list.examples.is_empty())
        else {
            return Err(Failure::invalid("Input is empty."));
        };
        let examples = examples.iter().map(|example| &example[..]);
        let (n, tensors) = example::rows(&scorer.signature, examples, context)?;
        self.about.rows = n;
        Ok((n, tensors))
    }

    fn metadata(&mut self, request: &GetModelMetadataRequest) -> Answer {
        const FIELD: &str = "signature_def";
        if request.model_spec.is_some() && request.metadata_field.is_empty() {
            return Err(Failure::invalid(
                "GetModelMetadataRequest must specify at least one metadata_field",
            ));
        }
        if let Some(other) = request.metadata_field.iter().find(|field| *field != FIELD) {
            return Err(Failure::invalid(format!("Metadata field {other} is not supported")));
        }
        let (servable, used, _) = self.find(request.model_spec.as_ref())?;
        let map = SignatureDefMap { signature_def: signature_defs(&servable) };
        let type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap".to_owned();
        let metadata = [(FIELD.to_owned(), Any { type_url, value: map.encode_to_vec() })].into();
        let model_spec = Some(ModelSpec { signature_name: String::new(), ..used });
        Ok(Step::Answered(GetModelMetadataResponse { model_spec, metadata }.encode_to_vec()))
    }

    fn status(&mut self, request: &GetModelStatusRequest) -> Answer {
        let (name, choice) = self.spec(request.model_spec.as_ref())?;
        let states = versions(self.models, name, &choice)?.into_iter().map(|(number, version)| {
            // OK and UNKNOWN.
            let error_code = if version.error.is_some() { 2 } else { 0 };
            ModelVersionStatus {
                version: number as i64,
                state: version.state.number(),
                status: Some(StatusProto {
                    error_code,
                    error_message: version.error.unwrap_or_default(),
                }),
            }
        });
        let response = GetModelStatusResponse { model_version_status: states.collect() };
        Ok(Step::Answered(response.encode_to_vec()))
    }
}

fn classified(classes: Classes, scores: Vec<f32>) -> ClassificationResult {
    let class = |(class, score): (usize, &f32)| Class { label: class.to_string(), score: *score };
    let scores = classes.of(scores);
    let rows = scores.chunks_exact(classes.width());
    let rows = rows.map(|row| row.iter().enumerate().map(class).collect());
    ClassificationResult {
        classifications: rows.map(|classes| Classifications { classes }).collect(),
    }
}

fn regressed(scores: Vec<f32>) -> RegressionResult {
    let regressions = scores.into_iter().map(|value| Regression { value }).collect();
    RegressionResult { regressions }
}
