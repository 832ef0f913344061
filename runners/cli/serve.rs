//! `frazil serve`: models over HTTP and gRPC, as TensorFlow Serving does it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::serve::{ModelConfig, Models, Options, Policy, find_versions};
use clap::Args;
use engine::{Error, Result};

use crate::failure::Done;
use crate::values::Size;
use crate::{interrupt, output};

const HELP: &str = "\
Examples:
  frazil serve --model taxi=model                        a model that `frazil train` has written
  frazil serve --model taxi=/models/taxi                 what `frazil push` has put there, and will
  frazil serve --model features=graph                    a frozen graph alone: transformed features
  frazil serve --model taxi=/models/taxi --versions taxi=latest:2 --label taxi/stable=1732800000
  frazil serve --model taxi=model --grpc 127.0.0.1:8500
  curl localhost:8501/v1/models/taxi:predict -d '{\"instances\": [{\"fare\": 12.5, \"company\": \"A\"}]}'

Requests and answers are those of TensorFlow Serving's REST API:
  POST /v1/models/NAME[/versions/N|/labels/L]:predict    {\"instances\": […]} or {\"inputs\": {…}}
  POST /v1/models/NAME[/versions/N|/labels/L]:classify   {\"examples\": […]}; or :regress
  GET  /v1/models/NAME[/versions/N|/labels/L]            states of versions
  GET  /v1/models/NAME[/versions/N|/labels/L]/metadata   signatures
  GET  /metrics, /health, /ready                         Prometheus; alive; every model answers

With --grpc also tensorflow.serving.PredictionService (Predict, Classify, Regress, MultiInference,
GetModelMetadata), ModelService (GetModelStatus) and grpc.health.v1.Health (Check). A tensor has a row
of its first dimension for each answer: [n] for one value, [n, k] for k; inputs that vary in length may be
left out. Predict's only input `examples`, of REST's instances too, is serialized tf.Examples: whole rows.

Rows are raw: the model's frozen graph is inside. A feature that varies in length need not be there.
`\"signature_name\": \"transform\"` answers with the transformed features.

A directory of numbered versions is looked at every --poll seconds. A new version is checked beside the
one that answers, golden predictions and all, and takes its place when it is ready; one that cannot be
used changes nothing but the status.

Requests that wait at the same time go through the network together, with the same bits as alone.

The first line on stdout is the address, the second gRPC's. Ctrl-C and termination let requests end.

Exit codes:
  0    ended as it was told to
  2    failed; the reason is on stderr
  130  told to end twice";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ServeArgs {
    /// What to serve: a model, a frozen graph, or a directory of numbered ones; may be repeated
    #[arg(long = "model", required = true, value_name = "NAME=DIR", value_parser = model)]
    models: Vec<(String, PathBuf)>,
    /// Which versions of a model: `latest:N`, `all`, or numbers [default: latest:1]
    #[arg(long, value_name = "NAME=VERSIONS", value_parser = versions)]
    versions: Vec<(String, Policy)>,
    /// Another name of a version, which is served, then, in any case
    #[arg(long = "label", value_name = "NAME/LABEL=N", value_parser = label)]
    labels: Vec<(String, String, u64)>,
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8501")]
    listen: String,
    /// Speak gRPC, too, and where; TensorFlow Serving's port is 8500
    #[arg(long, value_name = "HOST:PORT")]
    grpc: Option<String>,
    /// Seconds between looks at the directories
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    poll: Duration,
    /// Threads that compute answers [default: cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    access: AccessArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Bytes of a request at most: more is answered by 413
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    max_body: Size,
    /// Requests at the same time: more are answered by 429
    #[arg(long, value_name = "N", default_value = "128")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_concurrent: u32,
    /// Rows of requests that go through a network together at most; 1 is each request by itself
    #[arg(long, value_name = "N", default_value = "64")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_batch_size: u32,
    /// Microseconds that a request may wait for others to go with; 0: with those that wait anyway
    #[arg(long, value_name = "N", default_value = "0")]
    #[arg(value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    batch_timeout_micros: u32,
    /// Seconds for a request to arrive (408) and for its answer to be ready (504)
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    /// Seconds for headers to arrive, and for a connection of REST to be idle
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    header_timeout: Duration,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
struct AccessArgs {
    /// Answer only requests with `Authorization: Bearer` and the first line of this file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Speak TLS: a PEM file with the chain of certificates
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Let scripts of pages of this origin ask, such as `https://example.org`; `*` is any
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    allow_origin: Option<String>,
}

fn model(text: &str) -> std::result::Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, directory)) if !name.is_empty() && !directory.is_empty() => {
            Ok((name.to_owned(), directory.into()))
        }
        _ => Err("NAME=DIR, such as `taxi=/models/taxi`".to_owned()),
    }
}

fn versions(text: &str) -> std::result::Result<(String, Policy), String> {
    let policy = |policy: &str| match policy {
        "all" => Some(Policy::All),
        _ => match policy.strip_prefix("latest:") {
            Some(n) => n.parse().ok().filter(|n| *n > 0).map(Policy::Latest),
            None => {
                let numbers = policy.split(',').map(|number| number.parse().ok());
                numbers.collect::<Option<Vec<u64>>>().map(Policy::Only)
            }
        },
    };
    let parts = text.split_once('=');
    parts.and_then(|(name, text)| Some((name.to_owned(), policy(text)?))).ok_or_else(|| {
        "NAME=latest:N, NAME=all, or NAME=N,…, such as `taxi=latest:2` or `taxi=1,3`".to_owned()
    })
}

fn label(text: &str) -> std::result::Result<(String, String, u64), String> {
    let parts = text.rsplit_once('=').and_then(|(of, number)| {
        let (name, label) = of.rsplit_once('/')?;
        Some((name.to_owned(), label.to_owned(), number.parse().ok()?))
    });
    parts
        .filter(|(name, label, _)| !name.is_empty() && !label.is_empty())
        .ok_or_else(|| "NAME/LABEL=N, where N is a version, such as `taxi/stable=2`".to_owned())
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("seconds above 0, such as 0.5 or 30".to_owned()),
    }
}

fn origin(text: &str) -> std::result::Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
    };
    if text == "*" || host.is_some_and(is_host) {
        return Ok(text.to_owned());
    }
    Err("`*`, or a scheme and a host as browsers send them, such as `https://example.org`"
        .to_owned())
}

pub(crate) fn run(args: &ServeArgs) -> Done {
    let models = Models::new(configs(args)?)?;
    let options = options(args)?;
    let log: ::serve::Log = Arc::new(|line: &str| output::note(&format!("{line}\n")));
    interrupt::look_often(true);
    let started = |addresses: &[String]| {
        let lines = addresses.iter().map(|address| format!("listening on {address}\n"));
        // Nobody reads it: it is served all the same.
        let _ = output::print(&lines.collect::<String>());
    };
    ::serve::serve(models, options, &log, started, interrupt::is_asked)?;
    Ok(())
}

fn configs(args: &ServeArgs) -> Result<Vec<ModelConfig>> {
    let mut configs = Vec::new();
    for (name, directory) in &args.models {
        // A directory that is not there is a mistake; one without versions waits for the first.
        find_versions(directory).map_err(|error| {
            error.with_hint("Name a model, a frozen graph, or a directory of numbered ones.")
        })?;
        let (policy, labels) = (Policy::default(), BTreeMap::new());
        let (name, directory) = (name.clone(), directory.clone());
        configs.push(ModelConfig { name, directory, policy, labels });
    }
    fn named<'a>(configs: &'a mut [ModelConfig], name: &str) -> Result<&'a mut ModelConfig> {
        configs.iter_mut().find(|config| config.name == *name).ok_or_else(|| {
            Error::invalid(format!("no model is called `{name}`"))
                .with_hint("Name one that `--model NAME=DIR` names.")
        })
    }
    for (name, policy) in &args.versions {
        named(&mut configs, name)?.policy = policy.clone();
    }
    for (name, label, number) in &args.labels {
        named(&mut configs, name)?.labels.insert(label.clone(), *number);
    }
    Ok(configs)
}

fn options(args: &ServeArgs) -> Result<Options> {
    let default = Options::default();
    let AccessArgs { token_file, tls_cert, tls_key, allow_origin } = &args.access;
    Ok(Options {
        listen: args.listen.clone(),
        grpc: args.grpc.clone(),
        threads: args.threads.map_or(default.threads, usize::from),
        max_body: args.limits.max_body.0 as usize,
        max_concurrent: args.limits.max_concurrent as usize,
        max_batch_size: args.limits.max_batch_size as usize,
        batch_timeout: Duration::from_micros(args.limits.batch_timeout_micros.into()),
        timeout: args.limits.timeout,
        header_timeout: args.limits.header_timeout,
        poll: args.poll,
        token: token_file.as_deref().map(token).transpose()?,
        tls: tls_cert.clone().zip(tls_key.clone()),
        allow_origin: allow_origin.clone(),
        ..default
    })
}

fn token(path: &Path) -> Result<String> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|e| Error::io(format_args!("read `{shown}`"), &e))?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() {
        return Err(Error::invalid(format!("there is no token in `{shown}`"))
            .with_hint("Put a secret into its first line."));
    }
    Ok(token.to_owned())
}
