//! Reads a distributed Map's `ItemReader`.

use super::load::Loader;
use super::load_state::Place;
use super::model::{Format, Reader, Setting};
use super::problem::Code;
use super::reader::Object;

/// What a `ReaderConfig` says.
struct Config {
    format: Format,
    load: bool,
    max_items: Option<Setting>,
}

impl Loader {
    pub(super) fn item_reader(&mut self, place: &Place<'_>) -> Option<Reader> {
        let members = place.object.object(&mut self.report, "ItemReader")?;
        let at = place.object.path("ItemReader");
        let object = Object { fields: members, at: &at };
        object.only(
            &mut self.report,
            "ItemReader",
            &["Resource", "Parameters", "Arguments", "ReaderConfig", "Comment"],
        );
        if !object.has("Resource") {
            self.report.schema(&at, "Required field 'Resource' is missing.");
        }
        let resource = self.call_resource(&object);
        let arguments = self.call_arguments(&object, place.language);
        let listed = resource
            .as_ref()
            .is_some_and(|resource| resource.resource_name().starts_with("listObjects"));
        let config = self.reader_config(place, &object, listed);
        let Config { format, load, max_items } = config;
        Some(Reader { resource: resource?, arguments, format, load, max_items })
    }

    fn reader_config(&mut self, place: &Place<'_>, reader: &Object<'_>, listed: bool) -> Config {
        let Some(members) = reader.object(&mut self.report, "ReaderConfig") else {
            if !listed {
                self.report.schema(reader.at, "Required field 'ReaderConfig' is missing.");
            }
            return Config { format: Format::Objects, load: false, max_items: None };
        };
        let at = reader.path("ReaderConfig");
        let config = Object { fields: members, at: &at };
        config.only(
            &mut self.report,
            "ReaderConfig",
            &[
                "InputType",
                "CSVHeaderLocation",
                "CSVHeaders",
                "CSVDelimiter",
                "MaxItems",
                "MaxItemsPath",
                "ItemsPointer",
                "Transformation",
            ],
        );
        let load = self.transformation(&config, listed);
        let max_items = self.number(place, &config, "MaxItems", "MaxItemsPath", 0..=100_000_000);
        let format = match config.text(&mut self.report, "InputType") {
            Some("CSV") => self.csv(&config),
            Some("JSON") => {
                self.no_headers(&config, "JSON");
                Format::Json { pointer: self.pointer(&config) }
            }
            Some("JSONL") => {
                self.no_headers(&config, "JSONL");
                Format::Jsonl
            }
            None => {
                if !listed {
                    self.report.schema(&at, "Required field 'InputType' is missing.");
                } else if load {
                    let message = "InputType is needed where Transformation is LOAD_AND_FLATTEN.";
                    self.refused_now(&at, message.to_owned());
                }
                Format::Objects
            }
            Some(other) => {
                let message =
                    format!("InputType '{other}' is not supported here: use CSV, JSON or JSONL.");
                self.report.schema(&config.path("InputType"), message);
                Format::Objects
            }
        };
        // Without a type the objects can only be listed, as they were before they were loaded at all.
        Config { load: load && format != Format::Objects, format, max_items }
    }

    /// Only tables have headers (tiny-asl-machine, `Validation.ItemReader` 005 and 009, recorded on
    /// AWS).
    fn no_headers(&mut self, config: &Object<'_>, format: &str) {
        for name in ["CSVHeaderLocation", "CSVHeaders"] {
            if config.has(name) {
                let message = format!("{name} is not supported where InputType is {format}.");
                self.refused_now(&config.path(name), message);
            }
        }
    }

    fn refused_now(&mut self, at: &str, message: String) {
        self.report.not_any_more(at, Code::SchemaValidationFailed, message, None);
    }

    /// A JSON pointer (RFC 6901): empty, or it begins with a slash (tiny-asl-machine,
    /// `Validation.ItemReader` 004, recorded on AWS).
    fn pointer(&mut self, config: &Object<'_>) -> Option<String> {
        let pointer = config.text(&mut self.report, "ItemsPointer")?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            let message = format!("ItemsPointer must begin with '/', but is '{pointer}'.");
            self.refused_now(&config.path("ItemsPointer"), message);
        }
        Some(pointer.to_owned())
    }

    /// Developer guide, "ItemReader (Map)": whether the objects of a list are loaded, and the items in
    /// them are the Map's.
    fn transformation(&mut self, config: &Object<'_>, listed: bool) -> bool {
        let message = match config.text(&mut self.report, "Transformation") {
            None | Some("NONE") => return false,
            Some("LOAD_AND_FLATTEN") if listed => return true,
            Some("LOAD_AND_FLATTEN") => {
                "Transformation LOAD_AND_FLATTEN is for the objects that s3:listObjectsV2 lists."
                    .to_owned()
            }
            Some(other) => {
                format!("Transformation must be NONE or LOAD_AND_FLATTEN, but is '{other}'.")
            }
        };
        self.refused_now(&config.path("Transformation"), message);
        false
    }

    fn csv(&mut self, config: &Object<'_>) -> Format {
        let delimiter = match config.text(&mut self.report, "CSVDelimiter") {
            None | Some("COMMA") => ',',
            Some("PIPE") => '|',
            Some("SEMICOLON") => ';',
            Some("SPACE") => ' ',
            Some("TAB") => '\t',
            Some(other) => {
                let message = format!(
                    "CSVDelimiter must be COMMA, PIPE, SEMICOLON, SPACE or TAB, but is '{other}'."
                );
                self.report.schema(&config.path("CSVDelimiter"), message);
                ','
            }
        };
        let headers = match config.text(&mut self.report, "CSVHeaderLocation") {
            Some("FIRST_ROW") => None,
            Some("GIVEN") => {
                if !config.has("CSVHeaders") {
                    self.report.schema(config.at, "CSVHeaders is needed where headers are GIVEN.");
                }
                let list = config.array(&mut self.report, "CSVHeaders").unwrap_or_default();
                let names = list.iter().map(|name| name.as_str().unwrap_or_default().to_owned());
                Some(names.collect())
            }
            other => {
                let message = match other {
                    None => "CSVHeaderLocation must be FIRST_ROW or GIVEN.".to_owned(),
                    Some(other) => {
                        format!("CSVHeaderLocation must be FIRST_ROW or GIVEN, but is '{other}'.")
                    }
                };
                self.report.schema(config.at, message);
                None
            }
        };
        Format::Csv { headers, delimiter }
    }
}
