//! What is said of models: the state of their versions, and their signatures, as TensorFlow Serving's
//! messages and in the forms of protobuf's JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transform::{DType, Dim, Type};

use crate::failure::{Code, Failure};
use crate::grpc::{DimProto, SignatureDef, TensorInfo, TensorShapeProto, number_of};
use crate::models::{Choice, Models, Version};
use crate::servable::{Method, Servable};

/// All versions of a model, or one.
pub(crate) fn versions(
    models: &Models,
    name: &str,
    choice: &Choice,
) -> Result<Vec<(u64, Version)>, Failure> {
    let not_found = |what: String| Failure::new(Code::NotFound, what);
    let Some(model) = models.get(name) else {
        return Err(match choice {
            Choice::Number(number) => {
                not_found(format!("Could not find version {number} of model {name}"))
            }
            Choice::Latest => not_found(format!("Could not find any versions of model {name}")),
            Choice::Label(label) => {
                Failure::invalid(format!("Unrecognized servable version label: {label}"))
            }
        });
    };
    let versions = model.versions();
    match model.number(choice)? {
        None if versions.is_empty() => {
            Err(not_found(format!("Could not find any versions of model {name}")))
        }
        // The greatest first, as TensorFlow Serving's monitor keeps them.
        None => Ok(versions.iter().rev().map(|(number, of)| (*number, of.clone())).collect()),
        Some(number) => match versions.get(&number) {
            Some(version) => Ok(vec![(number, version.clone())]),
            None => Err(not_found(format!("Could not find version {number} of model {name}"))),
        },
    }
}

/// The states of all versions of a model, or of one.
pub(crate) fn status(models: &Models, name: &str, choice: &Choice) -> Result<Value, Failure> {
    let states = versions(models, name, choice)?.into_iter().map(|(number, version)| {
        let (code, message) = match version.error {
            None => ("OK", String::new()),
            Some(message) => ("UNKNOWN", message),
        };
        json!({
            "version": number.to_string(),
            "state": version.state.name(),
            "status": { "error_code": code, "error_message": message },
        })
    });
    Ok(json!({ "model_version_status": states.collect::<Vec<_>>() }))
}

/// The signatures of a version, by name.
pub(crate) fn signature_defs(servable: &Servable) -> BTreeMap<String, SignatureDef> {
    let tensors = |columns: &[(String, Type)]| {
        let tensors = columns.iter().map(|(name, ty)| (name.clone(), tensor(name, ty)));
        tensors.collect()
    };
    // A tensor of serialized tf.Examples, of any rank.
    let examples = || {
        let unknown = TensorShapeProto { dim: Vec::new(), unknown_rank: true };
        let dtype = number_of(DType::String);
        let name = "tf_example:0".to_owned();
        [("inputs".to_owned(), TensorInfo { name, dtype, tensor_shape: Some(unknown) })].into()
    };
    let scores = |of: &str, shape: &[Dim]| {
        let ty = Type::column(DType::Float32, shape);
        [(of.to_owned(), tensor("scores", &ty))].into()
    };
    let defs = servable.signatures().into_iter().map(|(signature, method)| {
        let (inputs, outputs) = match method {
            Method::Predict => {
                let of = servable.signature(signature);
                let inputs = of.map(|of| tensors(of.inputs())).unwrap_or_default();
                (inputs, of.map(|of| tensors(&of.outputs())).unwrap_or_default())
            }
            Method::Classify => (examples(), scores("scores", &[Dim::Var])),
            Method::Regress => (examples(), scores("outputs", &[])),
        };
        let method_name = format!("tensorflow/serving/{}", method.name());
        (signature.to_owned(), SignatureDef { inputs, outputs, method_name })
    });
    defs.collect()
}

fn tensor(name: &str, ty: &Type) -> TensorInfo {
    let sizes = ty.shape.iter().map(|dim| match dim {
        Dim::Fixed(n) => i64::from(*n),
        Dim::Var => -1,
    });
    let dim = std::iter::once(-1).chain(sizes).map(|size| DimProto { size }).collect();
    TensorInfo {
        name: format!("{name}:0"),
        dtype: number_of(ty.dtype),
        tensor_shape: Some(TensorShapeProto { dim, unknown_rank: false }),
    }
}

/// The signatures of a version, as JSON.
pub(crate) fn metadata(name: &str, version: u64, servable: &Servable) -> Value {
    let tensors = |tensors: BTreeMap<String, TensorInfo>| {
        let tensors = tensors.into_iter().map(|(name, tensor)| {
            let TensorShapeProto { dim, unknown_rank } = tensor.tensor_shape.unwrap_or_default();
            let dim = dim.iter().map(|dim| json!({ "size": dim.size.to_string(), "name": "" }));
            let value = json!({
                "dtype": name_of(tensor.dtype),
                "tensor_shape": { "dim": dim.collect::<Vec<_>>(), "unknown_rank": unknown_rank },
                "name": tensor.name,
            });
            (name, value)
        });
        Value::Object(tensors.collect())
    };
    let signatures = signature_defs(servable).into_iter().map(|(name, def)| {
        let def = json!({
            "inputs": tensors(def.inputs),
            "outputs": tensors(def.outputs),
            "method_name": def.method_name,
            "defaults": {},
        });
        (name, def)
    });
    json!({
        "model_spec": { "name": name, "signature_name": "", "version": version.to_string() },
        "metadata": {
            "signature_def": { "signature_def": signatures.collect::<Map<_, _>>() },
        },
    })
}

/// TensorFlow's name of a type's number.
fn name_of(number: i32) -> &'static str {
    match number {
        1 => "DT_FLOAT",
        2 => "DT_DOUBLE",
        7 => "DT_STRING",
        9 => "DT_INT64",
        10 => "DT_BOOL",
        _ => "DT_INVALID",
    }
}
