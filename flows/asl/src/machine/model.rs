//! A definition as the interpreter reads it: parsed once, every transition an index.

use super::resource::Resource;
use crate::failure::Failure;
use crate::intrinsic::Intrinsic;
use crate::json::Json;
use crate::jsonata::{Expected, Expression, JsonataTemplate};
use crate::path::{Path, ReferencePath};
use crate::scope::Scope;
use crate::template::Template;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The query language a state is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    JsonPath,
    Jsonata,
}

/// Which of a machine's flows: 0 is the top one, the others are branches and item processors.
pub(crate) type FlowId = usize;
/// Which of a flow's states.
pub(crate) type StateId = usize;

/// One `States` object with its `StartAt`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flow {
    pub(crate) start: StateId,
    pub(crate) states: Vec<State>,
}

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) comment: Option<String>,
    pub(crate) language: Language,
    pub(crate) kind: Kind,
    /// `Next`; `None` for `End` and for states that have neither.
    pub(crate) next: Option<StateId>,
    pub(crate) input_path: Selector,
    pub(crate) output_path: Selector,
    /// `Parameters` or `Arguments`.
    pub(crate) arguments: Option<Payload>,
    pub(crate) result_selector: Option<Template>,
    pub(crate) result_path: ResultPath,
    pub(crate) assign: Option<Payload>,
    pub(crate) output: Option<JsonataTemplate>,
    pub(crate) retry: Vec<Retrier>,
    pub(crate) catch: Vec<Catcher>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Pass { result: Option<Value> },
    Task(Box<Task>),
    Choice { rules: Vec<Rule>, default: Option<StateId> },
    Wait(Wait),
    Succeed,
    Fail { error: Option<Setting>, cause: Option<Setting> },
    Parallel { branches: Vec<FlowId> },
    Map(Box<Map>),
}

impl Kind {
    /// `Pass`, `Task`, …: the definition's `Type`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "Pass",
            Self::Task(_) => "Task",
            Self::Choice { .. } => "Choice",
            Self::Wait(_) => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail { .. } => "Fail",
            Self::Parallel { .. } => "Parallel",
            Self::Map(_) => "Map",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) resource: Resource,
    pub(crate) timeout: Option<Setting>,
    pub(crate) heartbeat: Option<Setting>,
    pub(crate) credentials: Option<Payload>,
}

#[derive(Debug, Clone)]
pub(crate) enum Wait {
    Seconds(Setting),
    Timestamp(Setting),
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) test: Test,
    pub(crate) next: StateId,
    pub(crate) assign: Option<Payload>,
    pub(crate) output: Option<JsonataTemplate>,
}

#[derive(Debug, Clone)]
pub(crate) enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Compare {
        variable: Path,
        operator: Operator,
        operand: Operand,
    },
    Is {
        variable: Path,
        what: Is,
        expected: bool,
    },
    /// A JSONata `Condition`, or the constant it may be.
    Condition(Setting),
}

#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Literal(Value),
    Path(Path),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    String(Order),
    StringMatches,
    Numeric(Order),
    Timestamp(Order),
    BooleanEquals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Is {
    Null,
    Present,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

#[derive(Debug, Clone)]
pub(crate) struct Map {
    pub(crate) processor: FlowId,
    pub(crate) distributed: bool,
    /// `ItemsPath` or JSONata `Items`.
    pub(crate) items: Items,
    /// `ItemSelector`, or `Parameters` as it was called.
    pub(crate) selector: Option<Payload>,
    pub(crate) max_concurrency: Option<Setting>,
    pub(crate) tolerated_count: Option<Setting>,
    pub(crate) tolerated_percentage: Option<Setting>,
    pub(crate) reader: Option<Reader>,
    pub(crate) batcher: Option<Batcher>,
    pub(crate) writer: Option<Writer>,
    pub(crate) label: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Items {
    /// The whole effective input.
    Input,
    Path(Path),
    Literal(JsonataTemplate),
    Query(Expression),
}

#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) resource: Resource,
    pub(crate) arguments: Option<Payload>,
    pub(crate) format: Format,
    /// `LOAD_AND_FLATTEN`: the items are in the objects that are listed.
    pub(crate) load: bool,
    pub(crate) max_items: Option<Setting>,
}

/// `ReaderConfig`'s `InputType` and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Format {
    /// `s3:listObjectsV2`: the objects are the items, where they are not loaded.
    Objects,
    Csv {
        headers: Option<Vec<String>>,
        delimiter: char,
    },
    Json {
        pointer: Option<String>,
    },
    Jsonl,
}

#[derive(Debug, Clone)]
pub(crate) struct Batcher {
    pub(crate) max_items: Option<Setting>,
    pub(crate) max_bytes: Option<Setting>,
    pub(crate) input: Option<Payload>,
}

#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) resource: Option<Resource>,
    pub(crate) arguments: Option<Payload>,
    pub(crate) transformation: Transformation,
    pub(crate) lines: bool,
}

/// `WriterConfig.Transformation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transformation {
    None,
    Compact,
    Flatten,
}

#[derive(Debug, Clone)]
pub(crate) struct Retrier {
    pub(crate) errors: Vec<String>,
    pub(crate) interval_seconds: f64,
    pub(crate) max_attempts: u64,
    pub(crate) backoff_rate: f64,
    pub(crate) max_delay_seconds: Option<f64>,
    pub(crate) jitter: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Catcher {
    pub(crate) errors: Vec<String>,
    pub(crate) next: StateId,
    pub(crate) result_path: ResultPath,
    pub(crate) assign: Option<Payload>,
    pub(crate) output: Option<JsonataTemplate>,
}

/// `InputPath` and `OutputPath`.
#[derive(Debug, Clone)]
pub(crate) enum Selector {
    /// `$`, which is the default.
    Whole,
    /// `null`: an empty object.
    Nothing,
    Path(Path),
}

impl Selector {
    /// What is selected of `input`, which `scope` has as its own.
    pub(crate) fn apply(
        &self,
        scope: &Scope<'_>,
        input: &Json,
        field: &str,
    ) -> Result<Json, Failure> {
        match self {
            Self::Whole => Ok(input.clone()),
            Self::Nothing => Ok(Value::Object(serde_json::Map::new()).into()),
            Self::Path(path) => path.evaluate(scope, field).map(Json::from),
        }
    }
}

/// Where a result goes.
#[derive(Debug, Clone)]
pub(crate) enum ResultPath {
    /// `$`, which is the default: the result is the output.
    Whole,
    /// `null`: the result is thrown away.
    Discard,
    At(ReferencePath),
}

impl ResultPath {
    /// The output of `input` and `result`.
    pub(crate) fn merge(&self, input: &Json, result: Json) -> Result<Json, Failure> {
        match self {
            Self::Whole => Ok(result),
            Self::Discard => Ok(input.clone()),
            Self::At(path) => {
                let mut output = Value::clone(input);
                path.write(&mut output, result.into_value())?;
                Ok(output.into())
            }
        }
    }
}

/// Any JSON with expressions in it, of either language.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Paths(Template),
    Query(JsonataTemplate),
}

impl Payload {
    /// Evaluates; `location` is the field, for JSONata's failures.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>, location: &str) -> Result<Value, Failure> {
        match self {
            Self::Paths(template) => template.evaluate(scope),
            Self::Query(template) => template.evaluate(scope, location),
        }
    }
}

/// One value of a field that may be constant, found by a path, or computed.
#[derive(Debug, Clone)]
pub(crate) enum Setting {
    Fixed(Value),
    Path { path: Path, field: &'static str },
    Call { call: Intrinsic, field: &'static str },
    Query { expression: Expression, field: &'static str },
}

impl Setting {
    /// Evaluates; an expression's result must be `expected`.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>, expected: Expected) -> Result<Value, Failure> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Path { path, field } => path.evaluate(scope, field),
            Self::Call { call, .. } => call.evaluate(scope),
            Self::Query { expression, field } => expression.evaluate_as(scope, field, expected),
        }
    }

    /// The path's text and field, for causes that cite them.
    pub(crate) fn cited(&self) -> Option<(&str, &'static str)> {
        match self {
            Self::Path { path, field } => Some((path.source(), field)),
            Self::Query { expression, field } => Some((expression.source(), field)),
            Self::Call { call, field } => Some((call.source(), field)),
            Self::Fixed(_) => None,
        }
    }
}
