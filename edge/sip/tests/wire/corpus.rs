//! The test messages of RFC 4475 §3 and RFC 5118 §4, in files that keep the markup of
//! RFC 4475 §2 (`<allOneLine>`, `<repeat>`, `<hex>`) and are turned into octets here.
//!
//! Content-Length of `multi01` and of the three bodies of RFC 5118 is what it really is: the RFCs
//! print other numbers, and these messages are about something else.

use std::path::{Path, PathBuf};

use bytes::Bytes;

/// `name` is `rfc4475/wsinv` or the like.
pub(crate) fn load(name: &str) -> Bytes {
    let path = root().join(format!("{name}.sip"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    expand(&text).into()
}

/// All messages, with their names, in order.
pub(crate) fn all() -> Vec<(String, Bytes)> {
    let mut names: Vec<String> = ["rfc4475", "rfc5118"]
        .iter()
        .flat_map(|dir| {
            std::fs::read_dir(root().join(dir)).unwrap().map(move |entry| {
                let path = entry.unwrap().path();
                format!("{dir}/{}", path.file_stem().unwrap().to_str().unwrap())
            })
        })
        .collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), load(&name))).collect()
}

fn root() -> PathBuf {
    // `file!()` would depend on where the compiler was started.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = here.join("tests/messages");
    if own.is_dir() { own } else { here.join("../edge/sip/tests/messages") }
}

fn expand(text: &str) -> Vec<u8> {
    let lines =
        each_tag(text, "<allOneLine>\n", "\n</allOneLine>", |_, inner| inner.replace('\n', ""));
    let repeated = each_tag(&lines, "<repeat count=", "</repeat>", |_, inner| {
        let (count, word) = inner.split_once('>').unwrap();
        word.repeat(count.parse().unwrap())
    });
    let mut out = Vec::new();
    for (i, part) in repeated.split("<hex>").enumerate() {
        let (hex, text) = if i == 0 { ("", part) } else { part.split_once("</hex>").unwrap() };
        let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
        out.extend(digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()));
        out.extend(text.replace('\n', "\r\n").into_bytes());
    }
    out
}

fn each_tag(text: &str, open: &str, close: &str, f: impl Fn(usize, &str) -> String) -> String {
    let mut out = String::new();
    for (i, part) in text.split(open).enumerate() {
        if i == 0 {
            out.push_str(part);
            continue;
        }
        let (inner, rest) = part.split_once(close).unwrap();
        out.push_str(&f(i, inner));
        out.push_str(rest);
    }
    out
}
