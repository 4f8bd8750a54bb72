//! What clients were built against stays: names, numbers, types. The snapshot is tests/wire/proto.txt.
//!
//! ```text
//! CERALACCA_BLESS=1 cargo test --release --test it the_wire_is_the_one_in_the_snapshot
//! ```

use ceralacca_formats::leaf::{Class, Kind};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(ceralacca::api::DESCRIPTORS).unwrap();
    assert!(set.file.iter().all(|file| file.package() == "ceralacca.v1"));
    set.file
}

fn type_of(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
        scalar => scalar.as_str_name()["TYPE_".len()..].to_lowercase(),
    }
}

fn add_message(lines: &mut BTreeSet<String>, within: &str, message: &DescriptorProto) {
    let name = format!("{within}.{}", message.name());
    lines.insert(format!("message {name}"));
    for field in &message.field {
        let label = match field.label() {
            Label::Repeated => "repeated ",
            _ if field.proto3_optional() => "optional ",
            _ => "",
        };
        let choice = field.oneof_index.filter(|_| !field.proto3_optional());
        let choice = choice.map_or_else(String::new, |n| {
            let index = usize::try_from(n).unwrap();
            format!(" in oneof {}", message.oneof_decl[index].name())
        });
        let (number, of, field) = (field.number(), type_of(field), field.name());
        lines.insert(format!("field {name} {number} {label}{of} {field}{choice}"));
    }
    for inner in &message.nested_type {
        add_message(lines, &name, inner);
    }
    add_enums(lines, &name, &message.enum_type);
}

fn add_enums(lines: &mut BTreeSet<String>, within: &str, enums: &[EnumDescriptorProto]) {
    for of in enums {
        let name = format!("{within}.{}", of.name());
        lines.insert(format!("enum {name}"));
        for value in &of.value {
            lines.insert(format!("value {name} {} {}", value.number(), value.name()));
        }
    }
}

/// A line for each thing a client can depend on, each complete in itself.
fn lines() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for file in files() {
        let package = file.package();
        for message in &file.message_type {
            add_message(&mut lines, package, message);
        }
        add_enums(&mut lines, package, &file.enum_type);
        for service in &file.service {
            let name = format!("{package}.{}", service.name());
            lines.insert(format!("service {name}"));
            for method in &service.method {
                let side = |stream: bool, of: &str| {
                    let of = of.trim_start_matches('.');
                    format!("({}{of})", if stream { "stream " } else { "" })
                };
                let input = side(method.client_streaming(), method.input_type());
                let output = side(method.server_streaming(), method.output_type());
                let method = method.name();
                lines.insert(format!("rpc {name}/{method} {input} returns {output}"));
            }
        }
    }
    lines
}

#[test]
fn the_wire_is_the_one_in_the_snapshot() {
    let path = root().join("tests/wire/proto.txt");
    let now = lines();
    if std::env::var_os("CERALACCA_BLESS").is_some() {
        let mut text = String::new();
        for line in &now {
            text += line;
            text += "\n";
        }
        std::fs::write(&path, text).unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap();
    let snapshot: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(snapshot.len(), text.lines().count(), "a line twice");
    let gone: Vec<_> = snapshot.difference(&now).collect();
    assert!(gone.is_empty(), "clients depend on this: {gone:#?}");
    let new: Vec<_> = now.difference(&snapshot).collect();
    assert!(
        new.is_empty(),
        "bless the snapshot, to be seen in review: {new:#?}"
    );
}

fn enums() -> Vec<EnumDescriptorProto> {
    let files = files().into_iter();
    let top = |file: FileDescriptorProto| {
        let nested = file.message_type.iter();
        assert!(nested.flat_map(|m| &m.enum_type).next().is_none());
        file.enum_type
    };
    files.flat_map(top).collect()
}

#[test]
fn every_enum_begins_with_unspecified() {
    let enums = enums();
    assert!(enums.len() >= 5);
    for of in enums {
        let zero = of.value.first().unwrap();
        let mut prefix = String::new();
        for letter in of.name().chars() {
            if letter.is_ascii_uppercase() && !prefix.is_empty() {
                prefix.push('_');
            }
            prefix.push(letter.to_ascii_uppercase());
        }
        assert_eq!(
            (zero.number(), zero.name()),
            (0, &*format!("{prefix}_UNSPECIFIED"))
        );
        for value in &of.value {
            assert!(
                value.name().starts_with(&format!("{prefix}_")),
                "{}",
                value.name()
            );
        }
    }
}

/// Number and word of each value, without the zero.
fn values(name: &str, prefix: &str) -> Vec<(i32, String)> {
    let of = enums().into_iter().find(|of| of.name() == name).unwrap();
    let values = of.value.iter().filter(|value| value.number() != 0);
    let word = |value: &str| value[prefix.len()..].to_lowercase().replace('_', "-");
    let values = values.map(|value| (value.number(), word(value.name())));
    values.collect()
}

#[test]
fn kinds_and_classes_have_the_codes_of_the_leaf() {
    let kinds = Kind::ALL.iter();
    let kinds = kinds.map(|kind| (i32::from(kind.code()), kind.word().to_owned()));
    assert_eq!(values("Kind", "KIND_"), kinds.collect::<Vec<_>>());
    let classes = Class::ALL.iter();
    let classes = classes.map(|class| (i32::from(class.code()), class.word().to_owned()));
    let found = values("RetentionClass", "RETENTION_CLASS_");
    assert_eq!(found, classes.collect::<Vec<_>>());
}

fn sources() -> Vec<PathBuf> {
    let folder = root().join("proto/ceralacca/v1");
    let entries = std::fs::read_dir(folder).unwrap();
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(paths.len(), files().len(), "every file is compiled");
    paths
}

/// A message of one RPC is explained there; everything else has a comment of its own.
#[test]
fn every_service_rpc_and_shared_message_is_explained() {
    let mut explained = 0;
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let [before, line] = pair else { unreachable!() };
            let mut words = line.split([' ', '(']);
            let name = match words.next() {
                Some("service" | "rpc" | "enum" | "message") => words.next().unwrap(),
                _ => continue,
            };
            let of_an_rpc = name.ends_with("Request") || name.ends_with("Response");
            if of_an_rpc {
                continue;
            }
            assert!(before.starts_with("//"), "{}: {line}", path.display());
            explained += 1;
        }
    }
    assert!(explained >= 5 + 11, "{explained}");
}
