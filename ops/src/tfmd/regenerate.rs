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
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, OneofDescriptorProto,
};

const PROTOS: &[&str] =
    &["anomalies.proto", "feature_skew.proto", "slicing.proto", "statistics.proto"];

/// Package, generated file and the first sentence of its documentation.
const MODULES: &[(&str, &str, &str)] = &[
    ("tensorflow.metadata.v0", "metadata.rs", "Statistics, schemas and anomalies"),
    ("tensorflow.data_validation", "skew.rs", "Feature skew between two sets of examples"),
    ("tfx_bsl.slicing_spec", "slicing.rs", "How examples are cut into slices"),
];

/// Whether zero and absent are the same for this floating-point field.
///
/// The protobuf library takes -0.0 for absent, where Python writes it. So the Rust types write
/// these fields always, the descriptions give them a presence, and `wire` drops what is +0.0.
fn is_implicit_float(field: &FieldDescriptorProto) -> bool {
    matches!(field.r#type(), Type::Float | Type::Double)
        && field.label() == Label::Optional
        && field.oneof_index.is_none()
}

/// The definitions for the Rust types.
fn always_written(mut file: FileDescriptorProto) -> FileDescriptorProto {
    fn visit(message: &mut DescriptorProto) {
        for field in message.field.iter_mut().filter(|f| is_implicit_float(f)) {
            field.set_label(Label::Required);
        }
        message.nested_type.iter_mut().for_each(visit);
    }
    if file.syntax() == "proto3" {
        file.message_type.iter_mut().for_each(visit);
    }
    file
}

/// The definitions for the descriptions.
fn with_presence(file: &mut FileDescriptorProto) {
    fn visit(message: &mut DescriptorProto) {
        for field in message.field.iter_mut().filter(|f| is_implicit_float(f)) {
            field.proto3_optional = Some(true);
            field.oneof_index = Some(message.oneof_decl.len() as i32);
            let name = Some(format!("_{}", field.name()));
            message.oneof_decl.push(OneofDescriptorProto { name, options: None });
        }
        message.nested_type.iter_mut().for_each(visit);
    }
    if file.syntax() == "proto3" {
        file.message_type.iter_mut().for_each(visit);
    }
}

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
        let requests = requests.map(|f| (module.clone(), always_written(f.clone()))).collect();
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
        with_presence(file);
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
