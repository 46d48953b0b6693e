//! What paths templates make, and which are refused.

use logweir_parsers::format::Format;
use logweir_parsers::key;
use logweir_pipeline::Keys;
use proptest::prelude::*;

use super::super::PathTemplate;
use crate::testing::Source;

#[test]
fn templates_that_cannot_work_are_refused() {
    let keys = Keys::new(10);
    for (path, expected) in [
        ("", "empty"),
        ("a/{b", "byte 2"),
        ("a}", "byte 1"),
        ("{}", "no name"),
        ("{service.name|%Y}", "only {@timestamp|…}"),
        ("{@timestamp|%Y-%J}", "time format"),
        ("/out/{service.name}/../x", "behind a field"),
        ("a\0b", "control"),
    ] {
        let error = PathTemplate::new(path, &keys).unwrap_err().to_string();
        assert!(error.contains(expected), "{path:?}: {error}");
    }
}

fn rendered(template: &str, service: Option<&[u8]>) -> String {
    let mut source = Source::new(Format::Raw, 1);
    let mut template = PathTemplate::new(template, &source.keys).unwrap();
    let mut batch = source.batch(&["line"]);
    if let Some(service) = service {
        let value = batch.make_text(service);
        batch.set(0, key::SERVICE_NAME, value);
    }
    let mut path = String::new();
    template.render(&batch, 0, &mut path);
    path
}

#[test]
fn a_glob_takes_every_path_of_a_template() {
    let keys = Keys::new(64);
    for (template, folder, glob) in [
        ("/o/{service.name}.log", "/o", "*.log"),
        ("/o/a{service.name}/{{x}}/[1]-{@timestamp|%Y}", "/o", "a*/\\{x\\}/\\[1\\]-*"),
        ("/o/./p/copy.ndjson", "/o/./p", "copy.ndjson"),
        ("/o/{service.name}//./a", "/o", "*/a"),
        ("/copy.ndjson", "/", "copy.ndjson"),
        ("copy.ndjson", ".", "copy.ndjson"),
        ("{service.name}", ".", "*"),
    ] {
        let template = PathTemplate::new(template, &keys).unwrap();
        assert_eq!(template.glob(), (folder, glob.to_owned()));
    }
}

#[test]
fn values_come_into_paths() {
    for (template, service, expected) in [
        ("/o/{service.name}.log", Some(&b"shop"[..]), "/o/shop.log"),
        ("/o/{service.name}.log", None, "/o/unknown.log"),
        ("/o/{service.name}.log", Some(b""), "/o/unknown.log"),
        ("/o/{service.name}.log", Some(b".."), "/o/_..log"),
        ("/o/{service.name}", Some(b"../../etc/passwd"), "/o/_._.._etc_passwd"),
        ("/o/{service.name}", Some(b"a\0b\nc"), "/o/a_b_c"),
        ("/o/{event.dataset}/{{x}}", None, "/o/generic/{x}"),
        ("/o/{@timestamp|%Y/%m/%d}.log", None, "/o/2026_01_01.log"),
        ("/o/{@timestamp|%Y-%m-%d}/{@timestamp|%H}", None, "/o/2026-01-01/00"),
    ] {
        assert_eq!(rendered(template, service), expected);
    }
}

proptest! {
    #[test]
    fn a_path_never_leaves_its_folder(service: Vec<u8>, twice: bool) {
        let template = if twice { "/base/{service.name}{service.name}" } else { "/base/x/{service.name}" };
        let path = rendered(template, Some(&service));
        prop_assert!(path.starts_with("/base/"));
        prop_assert!(!path.contains('\0'));
        let components = path.split('/').skip(1).collect::<Vec<_>>();
        prop_assert_eq!(components.len(), if twice { 2 } else { 3 });
        prop_assert!(components.iter().all(|part| !part.is_empty() && *part != "." && *part != ".." && part.len() <= 200));
    }
}
