//! SSML that is let through: well-formed, of known elements, without anything that reads files or
//! grows.
//!
//! > A document is read into plain pieces and written anew. What reaches an engine was made here;
//! > an entity, a processing instruction or a declaration never does. The declaration that a file of
//! > XML begins with says nothing that is spoken, and is passed over.

use std::fmt::Write as _;

/// Elements inside each other.
const MAX_DEPTH: usize = 24;
/// Attributes of one element, and octets of one value.
const MAX_ATTRIBUTES: usize = 8;
const MAX_VALUE: usize = 200;

/// Longest pause of a `break`, in milliseconds (Amazon Polly developer guide, "Adding a pause").
const MAX_PAUSE: f64 = 10_000.0;

/// What Amazon Polly documents for its standard voices, and the attributes of each. `audio` is not
/// among them: it would have the engine open files.
const ELEMENTS: &[(&str, &[&str])] = &[
    ("speak", &["version", "xml:lang", "xmlns", "xmlns:xsi", "xsi:schemaLocation"]),
    ("break", &["strength", "time"]),
    ("emphasis", &["level"]),
    ("lang", &["xml:lang"]),
    ("mark", &["name"]),
    ("p", &["xml:lang"]),
    ("s", &["xml:lang"]),
    ("phoneme", &["alphabet", "ph"]),
    ("prosody", &["volume", "rate", "pitch", "amazon:max-duration"]),
    ("say-as", &["interpret-as", "format"]),
    ("sub", &["alias"]),
    ("w", &["role"]),
    ("amazon:effect", &["name", "phonation", "vocal-tract-length"]),
    ("amazon:auto-breaths", &["volume", "frequency", "duration"]),
    ("amazon:breath", &["volume", "duration"]),
    ("amazon:domain", &["name"]),
];

/// Why a text is not SSML that is spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SsmlError {
    /// The markup is broken.
    #[error("invalid SSML: {0}")]
    Broken(&'static str),
    /// An element that is not spoken.
    #[error("invalid SSML: there is no element <{0}>")]
    Element(String),
    /// An attribute that an element does not have.
    #[error("invalid SSML: <{0}> has no attribute {1}")]
    Attribute(String, String),
}

use SsmlError::Broken;

/// Reads a document; gives it back written anew. `amazon`: it is for Amazon Polly. Else of elements
/// of Amazon's own only what they enclose goes in, and a pause is held to Polly's maximum.
///
/// # Errors
/// See [`SsmlError`].
pub fn rewrite(text: &str, amazon: bool) -> Result<String, SsmlError> {
    let mut reader =
        Reader { rest: without_prolog(text)?, out: String::new(), open: Vec::new(), amazon };
    reader.run()?;
    Ok(reader.out)
}

/// The root element, without what may stand before it (XML 1.0 §2.8): a byte order mark, the XML
/// declaration, comments.
fn without_prolog(text: &str) -> Result<&str, SsmlError> {
    let mut text = text.trim_start_matches('\u{feff}').trim();
    let after = |text: &'_ str, end: &str| text.find(end).map(|at| at + end.len());
    if text.strip_prefix("<?xml").is_some_and(|more| more.starts_with(char::is_whitespace)) {
        let end = after(text, "?>").ok_or(Broken("the XML declaration does not end"))?;
        text = text.get(end..).unwrap_or_default().trim_start();
    }
    while text.starts_with("<!--") {
        let end = after(text, "-->").ok_or(Broken("a comment does not end"))?;
        text = text.get(end..).unwrap_or_default().trim_start();
    }
    Ok(text)
}

struct Reader<'a> {
    rest: &'a str,
    out: String,
    open: Vec<&'a str>,
    amazon: bool,
}

impl<'a> Reader<'a> {
    fn run(&mut self) -> Result<(), SsmlError> {
        if !self.rest.starts_with("<speak") {
            return Err(Broken("it must be one <speak> element"));
        }
        loop {
            let text = self.until('<');
            self.text(text)?;
            if self.rest.starts_with("<!--") {
                let end = self.rest.find("-->").ok_or(Broken("a comment does not end"))?;
                self.rest = self.rest.get(end + 3..).unwrap_or_default();
            } else if let Some(text) = self.rest.strip_prefix("<![CDATA[") {
                let (text, rest) = text.split_once("]]>").ok_or(Broken("CDATA does not end"))?;
                escape(text, &mut self.out);
                self.rest = rest;
            } else if self.rest.starts_with("<!") || self.rest.starts_with("<?") {
                return Err(Broken("declarations and instructions are not taken"));
            } else {
                self.tag()?;
            }
            if self.open.is_empty() {
                break;
            }
        }
        if self.rest.is_empty() { Ok(()) } else { Err(Broken("something follows </speak>")) }
    }

    /// Takes all before a character.
    fn until(&mut self, stop: char) -> &'a str {
        let (before, rest) = self.rest.split_at(self.rest.find(stop).unwrap_or(self.rest.len()));
        self.rest = rest;
        before
    }

    fn text(&mut self, text: &str) -> Result<(), SsmlError> {
        let plain = unescape(text)?;
        escape(&plain, &mut self.out);
        Ok(())
    }

    fn tag(&mut self) -> Result<(), SsmlError> {
        let Some(inside) = self.rest.strip_prefix('<') else {
            return Err(Broken("an element is not closed"));
        };
        let (inside, rest) = inside.split_at(tag_end(inside)?);
        self.rest = rest.get(1..).unwrap_or_default();
        if let Some(name) = inside.strip_prefix('/') {
            let name = name.trim_end();
            if self.open.pop() != Some(name) {
                return Err(Broken("an element is closed that is not open"));
            }
            if self.passes(name) {
                let _ = write!(self.out, "</{name}>");
            }
            return Ok(());
        }
        let (inside, alone) = match inside.strip_suffix('/') {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let (name, attributes) =
            inside.split_at(inside.find(char::is_whitespace).unwrap_or(inside.len()));
        let Some((_, known)) = ELEMENTS.iter().find(|(element, _)| *element == name) else {
            return Err(SsmlError::Element(shortened(name)));
        };
        if (name == "speak") != self.open.is_empty() {
            return Err(Broken("it must be one <speak> element"));
        }
        let mut written = format!("<{name}");
        read_attributes(name, known, attributes, self.amazon, &mut written)?;
        if !alone {
            if self.open.len() >= MAX_DEPTH {
                return Err(Broken("elements lie too deep in each other"));
            }
            self.open.push(name);
        }
        if self.passes(name) {
            self.out.push_str(&written);
            self.out.push_str(if alone { "/>" } else { ">" });
        }
        Ok(())
    }

    fn passes(&self, name: &str) -> bool {
        self.amazon || !name.starts_with("amazon:")
    }
}

/// Where a tag ends: at the first `>` outside of quotes.
fn tag_end(inside: &str) -> Result<usize, SsmlError> {
    let mut quote = None;
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (None, '>') => return Ok(at),
            (None, '"' | '\'') => quote = Some(c),
            (_, '<') => return Err(Broken("a < stands where none may be")),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    Err(Broken("a tag does not end"))
}

fn read_attributes(
    element: &str,
    known: &[&str],
    mut rest: &str,
    amazon: bool,
    out: &mut String,
) -> Result<(), SsmlError> {
    let mut seen: Vec<&str> = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(());
        }
        let broken = Broken("an attribute must look like name=\"value\"");
        let (name, after) = rest.split_once('=').ok_or_else(|| broken.clone())?;
        let (name, after) = (name.trim_end(), after.trim_start());
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or_else(|| broken.clone())?;
        let (value, after) =
            after.get(1..).and_then(|after| after.split_once(quote)).ok_or(broken)?;
        if !known.contains(&name) {
            return Err(SsmlError::Attribute(shortened(element), shortened(name)));
        }
        if seen.contains(&name) || seen.len() >= MAX_ATTRIBUTES || value.len() > MAX_VALUE {
            return Err(Broken("an attribute stands twice or is too long"));
        }
        seen.push(name);
        rest = after;
        let mut value = unescape(value)?;
        if !amazon && (element, name) == ("break", "time") {
            // What is no time is the usual pause.
            let Some(pause) = milliseconds(&value) else { continue };
            value = format!("{:.0}ms", pause.min(MAX_PAUSE));
        }
        let _ = write!(out, " {name}=\"");
        escape(&value, out);
        out.push('"');
    }
}

/// A duration of seconds (`1.5s`) or milliseconds (`500ms`), which is no less than none.
fn milliseconds(time: &str) -> Option<f64> {
    let time = time.trim();
    let (number, unit) = match time.strip_suffix("ms") {
        Some(number) => (number, 1.0),
        None => (time.strip_suffix('s')?, 1000.0),
    };
    let plain = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'+'));
    let number: f64 = number.parse().ok().filter(|_| plain)?;
    Some(number * unit)
}

fn shortened(name: &str) -> String {
    name.chars().take(32).collect()
}

/// The five entities of XML and characters by number: nothing that a document could define.
fn unescape(text: &str) -> Result<String, SsmlError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (entity, after) = after.split_once(';').ok_or(Broken("write &amp; for &"))?;
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => numbered(number).ok_or(Broken("an entity that there is not"))?,
        });
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn numbered(entity: &str) -> Option<char> {
    let number = entity.strip_prefix('#')?;
    let code = match number.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code)
}

/// Writes text as XML. Control characters are no characters of XML 1.0 and become spaces.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_polly_documents_goes_through_and_is_written_anew() {
        let text = "<speak>Hello <break time='500ms'/>R&amp;D, <prosody rate=\"slow\">\u{e9}&#233;\
                    </prosody><!-- <b> --><amazon:effect name=\"whispered\">psst</amazon:effect></speak>";
        assert_eq!(
            rewrite(text, true).unwrap(),
            "<speak>Hello <break time=\"500ms\"/>R&amp;D, <prosody rate=\"slow\">\u{e9}\u{e9}\
             </prosody><amazon:effect name=\"whispered\">psst</amazon:effect></speak>"
        );
        assert!(rewrite(text, false).unwrap().ends_with("psst</speak>"));
    }

    #[test]
    fn what_is_no_ssml_is_refused_with_words() {
        let deep = format!("<speak>{}{}</speak>", "<p>".repeat(30), "</p>".repeat(30));
        for (text, words) in [
            ("Hello", "one <speak>"),
            ("<speaker>x</speaker>", "no element <speaker>"),
            ("<speak>a", "not closed"),
            ("<speak><p>a</speak></p>", "not open"),
            ("<speak>a</speak>b", "follows"),
            ("<speak><speak>a</speak></speak>", "one <speak>"),
            ("<speak>R&D</speak>", "&amp;"),
            ("<speak>a < b</speak>", "may be"),
            ("<speak><break time=1s/></speak>", "name=\"value\""),
            ("<speak><break time=\"1s</speak>", "may be"),
            ("<speak><break time=\"1s\" time=\"2s\"/></speak>", "twice"),
            ("<speak><break onclick=\"x\"/></speak>", "<break> has no attribute onclick"),
            ("<speak><audio src=\"/etc/passwd\"/></speak>", "no element <audio>"),
            ("<speak><?php x?></speak>", "declarations"),
            (deep.as_str(), "too deep"),
        ] {
            let error = rewrite(text, true).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_pause_of_the_local_engine_is_no_longer_than_pollys_longest() {
        for (time, wanted) in [
            ("99999999999s", " time=\"10000ms\""),
            ("10001ms", " time=\"10000ms\""),
            ("10s", " time=\"10000ms\""),
            ("1.5s", " time=\"1500ms\""),
            ("+250ms", " time=\"250ms\""),
            ("&#57;9s", " time=\"10000ms\""),
            ("99999999999", ""),
            ("infs", ""),
            ("-5s", ""),
            ("s", ""),
        ] {
            let text = format!("<speak>a<break time=\"{time}\"/>b</speak>");
            let local = format!("<speak>a<break{wanted}/>b</speak>");
            assert_eq!(rewrite(&text, false).unwrap(), local, "{time}");
        }
        let long = "<speak>a<break time=\"11s\"/>b</speak>";
        assert_eq!(rewrite(long, true).unwrap(), long, "Polly itself says what it thinks of it");
    }

    #[test]
    fn a_document_with_a_prolog_is_spoken_as_the_element_in_it() {
        // The form of Amazon Polly's developer guide, "Synthesizing an SSML-enhanced document".
        let speak = "<speak version=\"1.1\" xmlns=\"http://www.w3.org/2001/10/synthesis\" \
                     xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                     xsi:schemaLocation=\"http://www.w3.org/2001/10/synthesis synthesis.xsd\" \
                     xml:lang=\"en-US\">Good morning</speak>";
        let document = format!("\u{feff}<?xml version=\"1.0\"?>\n<!-- spoken -->\n{speak}\n");
        assert_eq!(rewrite(&document, true).unwrap(), speak);
        assert_eq!(
            rewrite("<speak>a<![CDATA[ R&D <b> ]]>c</speak>", true).unwrap(),
            "<speak>a R&amp;D &lt;b&gt; c</speak>"
        );
        for broken in [
            "<?xml version=\"1.0\"",
            "<?xml version=\"1.0\"?>",
            "<?php x?><speak>a</speak>",
            "<?xml-stylesheet x?><speak>a</speak>",
            "<!-- a <speak>b</speak>",
            "<?xml version=\"1.0\"?><!DOCTYPE x><speak>a</speak>",
            "<speak><?xml version=\"1.0\"?>a</speak>",
            "<speak><![CDATA[a</speak>",
        ] {
            assert!(rewrite(broken, true).is_err(), "{broken}");
        }
    }

    #[test]
    fn an_entity_bomb_does_not_go_off() {
        let bomb =
            "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><speak>&b;</speak>";
        assert!(rewrite(bomb, true).is_err());
        let inside = "<speak><!DOCTYPE x [<!ENTITY a \"a\">]>&a;</speak>";
        assert_eq!(
            rewrite(inside, true),
            Err(Broken("declarations and instructions are not taken"))
        );
        assert!(rewrite("<speak>&a;</speak>", true).is_err());
        assert!(rewrite("<speak>&#xD800;&#99999999999;</speak>", true).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic_and_what_passes_passes_again(
            text in "(<speak>)?[<>/a-z&;#'\"= !?\u{e9}-]{0,60}(</speak>)?"
        ) {
            if let Ok(once) = rewrite(&text, true) {
                proptest::prop_assert_eq!(rewrite(&once, true).unwrap(), once);
            }
        }
    }
}
