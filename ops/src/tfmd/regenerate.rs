//! Makes the generated files from `ops/proto` again and compares them with the committed ones.
//!
//! `UPDATE_GOLDEN=1 cargo test -p ops tfmd::regenerate` rewrites them. So a plain build needs no
//! protobuf compiler, and nobody can edit one side alone.

#![allow(clippy::disallowed_methods, reason = "a test may open the files it is about")]

use std::fmt::Write as _;
use std::path::Path;

use prost::Message as _;
use prost_build::{Config, Module};
use prost_reflect::DescriptorPool;

const PROTOS: &[&str] = &["anomalies.proto", "slicing.proto", "statistics.proto"];

/// Package, generated file and the first sentence of its documentation.
const MODULES: &[(&str, &str, &str)] = &[
    ("tensorflow.metadata.v0", "metadata.rs", "Statistics, schemas and anomalies"),
    ("tfx_bsl.slicing_spec", "slicing.rs", "How examples are cut into slices"),
];

/// Name and bytes of every generated file.
fn generate() -> Vec<(&'static str, Vec<u8>)> {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let mut compiler = protox::Compiler::new([include]).expect("the folder of protos exists");
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(PROTOS).unwrap_or_else(|e| panic!("{e:?}"));
    let mut files = compiler.file_descriptor_set();

    let mut config = Config::new();
    config.btree_map(["."]).prost_types_path("::prost_reflect::prost_types");
    let pool = DescriptorPool::from_file_descriptor_set(files.clone()).expect("protox checked it");
    for message in pool.all_messages() {
        let name = message.full_name();
        if !message.is_map_entry() && !name.starts_with("google.") {
            config.type_attribute(name, "#[derive(::prost_reflect::ReflectMessage)]");
            config.type_attribute(
                name,
                format!(
                    "#[prost_reflect(message_name = {name:?}, \
                     descriptor_pool = \"crate::tfmd::DESCRIPTOR_POOL\")]"
                ),
            );
        }
    }

    let mut out = Vec::new();
    for (package, file, about) in MODULES {
        let module = Module::from_protobuf_package_name(package);
        let requests = files.file.iter().filter(|f| f.package() == *package);
        let requests = requests.map(|f| (module.clone(), f.clone())).collect();
        let code = config.generate(requests).expect("prost can express these messages");
        let mut text = String::new();
        let _ = write!(
            text,
            "//! {about}: the messages of `{package}`.\n//!\n\
             //! Generated from `ops/proto`; change the definitions there.\n\n{}",
            code[&module]
        );
        out.push((*file, text.into_bytes()));
    }
    for file in &mut files.file {
        file.source_code_info = None;
    }
    out.push(("descriptors.bin", files.encode_to_vec()));
    out
}

#[test]
fn generated_files_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tfmd/generated");
    for (name, bytes) in generate() {
        let path = folder.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &bytes).expect("write");
        }
        assert!(
            std::fs::read(&path).ok() == Some(bytes),
            "`{name}` is not what `ops/proto` gives: \
             run `UPDATE_GOLDEN=1 cargo test -p ops tfmd::regenerate`"
        );
    }
}
