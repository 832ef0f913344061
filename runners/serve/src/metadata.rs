//! What is said of models: the state of their versions, and their signatures, in the forms of protobuf's
//! JSON that TensorFlow Serving answers with.

use serde_json::{Map, Value, json};
use transform::{DType, Dim, Type};

use crate::failure::{Code, Failure};
use crate::models::{Choice, Models, Versions};
use crate::servable::{Method, Servable};

/// The states of all versions of a model, or of one.
pub(crate) fn status(models: &Models, name: &str, choice: &Choice) -> Result<Value, Failure> {
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
        None => Ok(states(&versions, versions.keys().rev().copied())),
        Some(number) if versions.contains_key(&number) => Ok(states(&versions, [number])),
        Some(number) => Err(not_found(format!("Could not find version {number} of model {name}"))),
    }
}

fn states(versions: &Versions, numbers: impl IntoIterator<Item = u64>) -> Value {
    let states = numbers.into_iter().map(|number| {
        let version = &versions[&number];
        let (code, message) = match &version.error {
            None => ("OK", ""),
            Some(message) => ("UNKNOWN", message.as_str()),
        };
        json!({
            "version": number.to_string(),
            "state": version.state.name(),
            "status": { "error_code": code, "error_message": message },
        })
    });
    json!({ "model_version_status": states.collect::<Vec<_>>() })
}

/// The signatures of a version.
pub(crate) fn metadata(name: &str, version: u64, servable: &Servable) -> Value {
    let signatures = servable.signatures().into_iter().map(|(signature, method)| {
        let (inputs, outputs) = match method {
            Method::Predict => {
                let of = servable.signature(signature);
                let tensors = |columns: Vec<(String, Type)>| {
                    let tensors = columns.into_iter().map(|(name, ty)| {
                        let tensor = tensor(&name, &ty);
                        (name, tensor)
                    });
                    Value::Object(tensors.collect())
                };
                (
                    tensors(of.map(|of| of.inputs().to_vec()).unwrap_or_default()),
                    tensors(of.map(|of| of.outputs()).unwrap_or_default()),
                )
            }
            Method::Classify => (examples(), json!({ "scores": scores(true) })),
            Method::Regress => (examples(), json!({ "outputs": scores(false) })),
        };
        let signature_def = json!({
            "inputs": inputs,
            "outputs": outputs,
            "method_name": format!("tensorflow/serving/{}", method.name()),
            "defaults": {},
        });
        (signature.to_owned(), signature_def)
    });
    json!({
        "model_spec": { "name": name, "signature_name": "", "version": version.to_string() },
        "metadata": {
            "signature_def": { "signature_def": signatures.collect::<Map<_, _>>() },
        },
    })
}

fn dtype(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "DT_BOOL",
        DType::Int64 | DType::Timestamp => "DT_INT64",
        DType::Float32 => "DT_FLOAT",
        DType::Float64 => "DT_DOUBLE",
        DType::String | DType::Vocabulary | DType::Tokenizer => "DT_STRING",
    }
}

fn tensor(name: &str, ty: &Type) -> Value {
    let dims = ty.shape.iter().map(|dim| match dim {
        Dim::Fixed(n) => i64::from(*n),
        Dim::Var => -1,
    });
    let dims: Vec<Value> = std::iter::once(-1).chain(dims).map(dim).collect();
    json!({
        "dtype": dtype(ty.dtype),
        "tensor_shape": { "dim": dims, "unknown_rank": false },
        "name": format!("{name}:0"),
    })
}

fn dim(size: i64) -> Value {
    json!({ "size": size.to_string(), "name": "" })
}

fn examples() -> Value {
    json!({
        "inputs": {
            "dtype": "DT_STRING",
            "tensor_shape": { "dim": [], "unknown_rank": true },
            "name": "tf_example:0",
        },
    })
}

fn scores(are_several: bool) -> Value {
    let dims = if are_several { vec![dim(-1), dim(-1)] } else { vec![dim(-1)] };
    json!({
        "dtype": "DT_FLOAT",
        "tensor_shape": { "dim": dims, "unknown_rank": false },
        "name": "scores:0",
    })
}
