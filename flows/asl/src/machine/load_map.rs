//! Reads a Map state.

use super::fields;
use super::load::Loader;
use super::load_state::Place;
use super::model::{
    Batcher, FlowId, Items, Kind, Language, Map, Payload, Setting, Transformation, Writer,
};
use super::problem::Code;
use super::reader::{Object, wrong};
use super::resource::Resource;
use crate::limits;
use crate::path::{Path, ReferencePath};
use serde_json::Value;

impl Loader {
    pub(super) fn map(&mut self, place: &Place<'_>) -> Kind {
        let object = &place.object;
        object.at_most_one(&mut self.report, &["ItemProcessor", "Iterator"]);
        object.at_most_one(&mut self.report, &["ItemSelector", "Parameters"]);
        let (processor, distributed) = self.processor(place);
        if distributed {
            let message = "An Express workflow does not support distributed Maps.".to_owned();
            self.report.not_express(object.at, message);
        } else {
            self.distributed_only(object);
        }
        let selector = match self.payload(object, "ItemSelector", place.language) {
            None if place.language == Language::JsonPath => {
                self.payload(object, "Parameters", Language::JsonPath)
            }
            selector => selector,
        };
        Kind::Map(Box::new(Map {
            processor,
            distributed,
            items: self.items(place),
            selector,
            max_concurrency: self.number(
                place,
                object,
                "MaxConcurrency",
                "MaxConcurrencyPath",
                0..=i64::MAX.unsigned_abs(),
            ),
            tolerated_count: self.number(
                place,
                object,
                "ToleratedFailureCount",
                "ToleratedFailureCountPath",
                0..=limits::SECONDS,
            ),
            tolerated_percentage: self.percentage(place),
            reader: self.item_reader(place),
            batcher: self.item_batcher(place),
            writer: self.result_writer(place),
            label: self.label(object),
        }))
    }

    /// AWS refuses what cannot be done inline, and takes the rest without using it.
    fn distributed_only(&mut self, object: &Object<'_>) {
        for name in ["ItemReader", "ItemBatcher", "ResultWriter"] {
            if object.has(name) {
                let message = format!("{name} needs the processor's Mode to be DISTRIBUTED.");
                self.report.schema(&object.path(name), message);
            }
        }
        for name in [
            "ToleratedFailureCount",
            "ToleratedFailureCountPath",
            "ToleratedFailurePercentage",
            "ToleratedFailurePercentagePath",
            "Label",
        ] {
            if object.has(name) {
                let message = format!("{name} has no effect where the processor's Mode is INLINE.");
                self.report.warn(&object.path(name), Code::Suspicious, message);
            }
        }
    }

    /// The processor's flow, and whether it is distributed.
    fn processor(&mut self, place: &Place<'_>) -> (FlowId, bool) {
        let object = &place.object;
        let name = if object.has("Iterator") { "Iterator" } else { "ItemProcessor" };
        if !object.has(name) {
            self.report.schema(object.at, "Required field 'ItemProcessor' is missing.");
        }
        let Some(members) = object.object(&mut self.report, name) else { return (0, false) };
        let at = object.path(name);
        let processor = Object { fields: members, at: &at };
        processor.only(&mut self.report, "an item processor", fields::PROCESSOR);
        let distributed = self.processor_mode(&processor);
        if processor.has("QueryLanguage") {
            let message = "Field 'QueryLanguage' is not supported in an item processor.".to_owned();
            let suggestion = "its states may have one each".to_owned();
            let at = processor.path("QueryLanguage");
            let code = Code::SchemaValidationFailed;
            self.report.not_any_more(&at, code, message, Some(suggestion));
        }
        let language = self.inside(&processor, place.language);
        // A distributed processor runs in executions of its own, which see no variable of ours.
        let outer = if distributed { std::mem::take(&mut self.variables) } else { Vec::new() };
        let before = self.report.express.len();
        let flow = self.nested(&processor, language, place.depth + 1);
        if distributed {
            self.variables = outer;
        }
        let config = processor.get("ProcessorConfig");
        if distributed && config.is_some_and(|config| config["ExecutionType"] == "EXPRESS") {
            self.report.express_child(before);
        }
        (flow, distributed)
    }

    fn processor_mode(&mut self, processor: &Object<'_>) -> bool {
        let Some(members) = processor.object(&mut self.report, "ProcessorConfig") else {
            return false;
        };
        let at = processor.path("ProcessorConfig");
        let config = Object { fields: members, at: &at };
        config.only(&mut self.report, "ProcessorConfig", &["Mode", "ExecutionType"]);
        let distributed = match config.text(&mut self.report, "Mode") {
            None | Some("INLINE") => false,
            Some("DISTRIBUTED") => true,
            Some(other) => {
                let message = format!("Mode must be INLINE or DISTRIBUTED, but is '{other}'.");
                self.report.schema(&config.path("Mode"), message);
                false
            }
        };
        match config.text(&mut self.report, "ExecutionType") {
            Some("STANDARD" | "EXPRESS") if distributed => {}
            Some("STANDARD" | "EXPRESS") => {
                let message = "ExecutionType needs Mode to be DISTRIBUTED.";
                self.report.schema(&config.path("ExecutionType"), message);
            }
            Some(other) => {
                let message =
                    format!("ExecutionType must be STANDARD or EXPRESS, but is '{other}'.");
                self.report.schema(&config.path("ExecutionType"), message);
            }
            None if distributed && !config.has("ExecutionType") => {
                let message = "Required field 'ExecutionType' is missing.";
                self.report.schema(&at, message);
            }
            None => {}
        }
        distributed
    }

    fn items(&mut self, place: &Place<'_>) -> Items {
        let object = &place.object;
        if place.language == Language::JsonPath {
            let text = object.text(&mut self.report, "ItemsPath");
            let path = text.and_then(|text| self.path(&object.path("ItemsPath"), text));
            return path.map_or(Items::Input, Items::Path);
        }
        match object.get("Items") {
            None => Items::Input,
            Some(Value::String(text)) => {
                match self.expression(&object.path("Items"), text, "Items", true) {
                    Some(Setting::Query { expression, .. }) => Items::Query(expression),
                    _ => Items::Input,
                }
            }
            Some(Value::Array(_) | Value::Object(_)) => {
                self.jsonata(object, "Items").map_or(Items::Input, Items::Literal)
            }
            Some(other) => {
                let message = wrong("Items", "an array, an object or a JSONata expression", other);
                self.report.schema(&object.path("Items"), message);
                Items::Input
            }
        }
    }

    fn percentage(&mut self, place: &Place<'_>) -> Option<Setting> {
        let object = &place.object;
        let (name, path) = ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath");
        object.at_most_one(&mut self.report, &[name, path]);
        match object.get(name) {
            None => self.path_setting(place, object, path),
            Some(Value::String(text)) if place.language == Language::Jsonata => {
                self.expression(&object.path(name), text, name, true)
            }
            Some(value) => match value.as_f64() {
                Some(number) if (0.0..=100.0).contains(&number) => {
                    Some(Setting::Fixed(value.clone()))
                }
                _ => {
                    let message = format!("{name} must be from 0 to 100, but is {value}.");
                    self.report.schema(&object.path(name), message);
                    None
                }
            },
        }
    }

    /// The numbers of a Map are read by reference paths: AWS refuses `$$`, calls and what can find
    /// several values there (`Value is not a Reference Path`, as measured in the project floci's issue
    /// 3733). Of the other fields only those of a Fail state are known to take calls (developer guide, "Fail
    /// workflow state").
    pub(super) fn no_reference(&mut self, at: &str, text: &str, field: &str) {
        let what = match text {
            _ if text.starts_with("$$") => "a path into the context object",
            _ if text.starts_with("States.") => "an intrinsic function",
            _ if Path::parse(text).is_ok() && ReferencePath::parse(text).is_err() => {
                "a path that can find several values"
            }
            _ => return,
        };
        let message = format!("{field} '{text}': {what} is not taken here.");
        let suggestion =
            Some("a state before may keep it with 'Assign', or lay it into its output".to_owned());
        if field.starts_with("Max") || field.starts_with("Tolerated") {
            self.report.not_any_more(at, Code::InvalidPath, message, suggestion);
        } else if text.starts_with("States.") && !matches!(field, "ErrorPath" | "CausePath") {
            self.report.warn_with(at, Code::Suspicious, message, suggestion);
        }
    }

    fn label(&mut self, object: &Object<'_>) -> Option<String> {
        let label = object.text(&mut self.report, "Label")?;
        let allowed =
            |char: char| !char.is_whitespace() && !"?*<>{}[]:;,\\|^~$#%&`\"".contains(char);
        if label.is_empty() || label.chars().count() > 40 || !label.chars().all(allowed) {
            let message = format!(
                "Label '{label}' must have 1 to 40 characters, without white space, wildcards or \
                 brackets."
            );
            self.report.schema(&object.path("Label"), message);
        }
        Some(label.to_owned())
    }

    /// `Parameters` or `Arguments` of a reader or writer.
    pub(super) fn call_arguments(
        &mut self,
        object: &Object<'_>,
        language: Language,
    ) -> Option<Payload> {
        let (name, other) = match language {
            Language::JsonPath => ("Parameters", "Arguments"),
            Language::Jsonata => ("Arguments", "Parameters"),
        };
        if object.has(other) {
            let message = format!("Use '{name}' with this query language, not '{other}'.");
            self.report.schema(&object.path(other), message);
        }
        self.payload(object, name, language)
    }

    pub(super) fn call_resource(&mut self, object: &Object<'_>) -> Option<Resource> {
        let text = object.text(&mut self.report, "Resource")?;
        match Resource::parse(text) {
            Ok(resource) => Some(resource),
            Err(message) => {
                self.report.error(&object.path("Resource"), Code::InvalidResource, message);
                None
            }
        }
    }

    fn item_batcher(&mut self, place: &Place<'_>) -> Option<Batcher> {
        let members = place.object.object(&mut self.report, "ItemBatcher")?;
        let at = place.object.path("ItemBatcher");
        let object = Object { fields: members, at: &at };
        object.only(
            &mut self.report,
            "ItemBatcher",
            &[
                "MaxItemsPerBatch",
                "MaxItemsPerBatchPath",
                "MaxInputBytesPerBatch",
                "MaxInputBytesPerBatchPath",
                "BatchInput",
                "Comment",
            ],
        );
        let max_items = self.number(
            place,
            &object,
            "MaxItemsPerBatch",
            "MaxItemsPerBatchPath",
            1..=limits::SECONDS,
        );
        let max_bytes = self.number(
            place,
            &object,
            "MaxInputBytesPerBatch",
            "MaxInputBytesPerBatchPath",
            1..=limits::PAYLOAD_BYTES as u64,
        );
        if max_items.is_none() && max_bytes.is_none() {
            let message = "ItemBatcher needs MaxItemsPerBatch or MaxInputBytesPerBatch.";
            self.report.schema(&at, message);
        }
        let input = self.payload(&object, "BatchInput", place.language);
        Some(Batcher { max_items, max_bytes, input })
    }

    fn result_writer(&mut self, place: &Place<'_>) -> Option<Writer> {
        let members = place.object.object(&mut self.report, "ResultWriter")?;
        let at = place.object.path("ResultWriter");
        let object = Object { fields: members, at: &at };
        object.only(
            &mut self.report,
            "ResultWriter",
            &["Resource", "Parameters", "Arguments", "WriterConfig", "Comment"],
        );
        if !object.has("Resource") && !object.has("WriterConfig") {
            self.report.schema(&at, "ResultWriter needs Resource or WriterConfig.");
        }
        let resource = self.call_resource(&object);
        let arguments = self.call_arguments(&object, place.language);
        let mut writer = Writer {
            transformation: match resource {
                Some(_) => Transformation::None,
                None => Transformation::Compact,
            },
            resource,
            arguments,
            lines: false,
        };
        if let Some(members) = object.object(&mut self.report, "WriterConfig") {
            let at = object.path("WriterConfig");
            self.writer_config(&Object { fields: members, at: &at }, &mut writer);
        }
        Some(writer)
    }

    fn writer_config(&mut self, config: &Object<'_>, writer: &mut Writer) {
        config.only(&mut self.report, "WriterConfig", &["Transformation", "OutputType"]);
        match config.text(&mut self.report, "Transformation") {
            None => {}
            Some("NONE") => writer.transformation = Transformation::None,
            Some("COMPACT") => writer.transformation = Transformation::Compact,
            Some("FLATTEN") => writer.transformation = Transformation::Flatten,
            Some(other) => {
                let message =
                    format!("Transformation must be NONE, COMPACT or FLATTEN, but is '{other}'.");
                self.report.schema(&config.path("Transformation"), message);
            }
        }
        match config.text(&mut self.report, "OutputType") {
            None | Some("JSON") => {}
            Some("JSONL") => writer.lines = true,
            Some(other) => {
                let message = format!("OutputType must be JSON or JSONL, but is '{other}'.");
                self.report.schema(&config.path("OutputType"), message);
            }
        }
    }
}
