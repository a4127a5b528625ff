//! Conditions: the grammar of `ConditionExpression`, `FilterExpression` and
//! `KeyConditionExpression` (Developer Guide, "Condition and filter expressions, operators, and
//! functions"). `NOT` binds tighter than `AND`, `AND` tighter than `OR`.

use super::parser::Parser;
use super::path::Path;
use super::placeholders::Placeholders;
use super::token::Kind;
use super::value::Value;

/// Operands of one `IN`.
const MOST_IN: usize = 100;

/// A condition on an item.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// One of them.
    Or(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// `a < b`.
    Compare(Comparator, Operand, Operand),
    /// `a BETWEEN b AND c`.
    Between(Operand, Operand, Operand),
    /// `a IN (b, c)`.
    In(Operand, Vec<Operand>),
    /// `attribute_exists(path)`.
    Exists(Path),
    /// `attribute_not_exists(path)`.
    NotExists(Path),
    /// `attribute_type(path, :type)`.
    Type(Path, String),
    /// `begins_with(a, b)`.
    BeginsWith(Operand, Operand),
    /// `contains(a, b)`.
    Contains(Operand, Operand),
}

/// A comparator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// The attribute that stands there.
    Path(Path),
    /// A value of the request's.
    Value(Value),
    /// `size(path)`.
    Size(Path),
}

impl Condition {
    /// Reads a condition.
    pub(super) fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Self, String> {
        let mut parser = Parser::new(source, placeholders)?;
        let (condition, _) = or(&mut parser)?;
        parser.expect_end()?;
        Ok(condition)
    }

    /// The top-level attributes that it looks at.
    pub(super) fn roots(&self) -> Vec<&str> {
        let mut roots = Vec::new();
        self.collect_roots(&mut roots);
        roots
    }

    fn collect_roots<'a>(&'a self, roots: &mut Vec<&'a str>) {
        let mut operand = |operand: &'a Operand| {
            if let Operand::Path(path) | Operand::Size(path) = operand {
                roots.push(&path.root);
            }
        };
        match self {
            Self::And(all) | Self::Or(all) => all.iter().for_each(|c| c.collect_roots(roots)),
            Self::Not(inner) => inner.collect_roots(roots),
            Self::Exists(path) | Self::NotExists(path) | Self::Type(path, _) => {
                roots.push(&path.root);
            }
            Self::Compare(_, a, b) | Self::BeginsWith(a, b) | Self::Contains(a, b) => {
                operand(a);
                operand(b);
            }
            Self::Between(a, b, c) => [a, b, c].into_iter().for_each(operand),
            Self::In(a, list) => {
                operand(a);
                list.iter().for_each(operand);
            }
        }
    }
}

/// A condition, and whether parentheses stand around all of it.
type Parsed = Result<(Condition, bool), String>;

fn or(parser: &mut Parser<'_>) -> Parsed {
    let (first, bare) = and(parser)?;
    if !parser.at_keyword("OR") {
        return Ok((first, bare));
    }
    let mut all = vec![first];
    while parser.take_keyword("OR") {
        all.push(and(parser)?.0);
    }
    Ok((Condition::Or(all), false))
}

fn and(parser: &mut Parser<'_>) -> Parsed {
    let (first, bare) = not(parser)?;
    if !parser.at_keyword("AND") {
        return Ok((first, bare));
    }
    let mut all = vec![first];
    while parser.take_keyword("AND") {
        all.push(not(parser)?.0);
    }
    Ok((Condition::And(all), false))
}

fn not(parser: &mut Parser<'_>) -> Parsed {
    if !parser.take_keyword("NOT") {
        return primary(parser);
    }
    let (inner, _) = parser.deeper(not)?;
    Ok((Condition::Not(Box::new(inner)), false))
}

fn primary(parser: &mut Parser<'_>) -> Parsed {
    if parser.take_sign("(") {
        let (inner, parenthesised) = parser.deeper(or)?;
        parser.expect_sign(")")?;
        if parenthesised {
            return Err("The expression has redundant parentheses;".to_owned());
        }
        return Ok((inner, true));
    }
    let second = parser.peek_second();
    let calls = parser.peek().kind == Kind::Word && second.kind == Kind::Sign && second.text == "(";
    if calls && parser.peek().text != "size" {
        return Ok((function(parser)?, false));
    }
    let left = operand(parser)?;
    Ok((comparison(parser, left)?, false))
}

fn function(parser: &mut Parser<'_>) -> Result<Condition, String> {
    let name = parser.advance().text;
    parser.expect_sign("(")?;
    let mut operands = vec![operand(parser)?];
    while parser.take_sign(",") {
        operands.push(operand(parser)?);
    }
    parser.expect_sign(")")?;
    let count = operands.len();
    let mut operands = operands.into_iter();
    let (first, second, third) = (operands.next(), operands.next(), operands.next());
    match (name, first, second, third) {
        ("attribute_exists", Some(a), None, None) => Ok(Condition::Exists(path_of(name, a)?)),
        ("attribute_not_exists", Some(a), None, None) => {
            Ok(Condition::NotExists(path_of(name, a)?))
        }
        ("attribute_type", Some(a), Some(b), None) => attribute_type(path_of(name, a)?, b),
        ("begins_with", Some(a), Some(b), None) => {
            only(name, &a, &["S", "B"])?;
            only(name, &b, &["S", "B"])?;
            Ok(Condition::BeginsWith(a, b))
        }
        ("contains", Some(a), Some(b), None) => {
            only(name, &a, &["S", "B", "L", "SS", "NS", "BS"])?;
            Ok(Condition::Contains(a, b))
        }
        (
            "attribute_exists"
            | "attribute_not_exists"
            | "attribute_type"
            | "begins_with"
            | "contains",
            ..,
        ) => Err(format!(
            "Incorrect number of operands for operator or function; operator or function: {name}, number of operands: {count}"
        )),
        ("if_not_exists" | "list_append", ..) => {
            Err(format!("The function is not allowed in a condition expression; function: {name}"))
        }
        _ => Err(format!("Invalid function name; function: {name}")),
    }
}

fn path_of(function: &str, operand: Operand) -> Result<Path, String> {
    match operand {
        Operand::Path(path) => Ok(path),
        Operand::Value(_) | Operand::Size(_) => Err(format!(
            "Operator or function requires a document path; operator or function: {function}"
        )),
    }
}

fn attribute_type(path: Path, kind: Operand) -> Result<Condition, String> {
    const KINDS: [&str; 10] = ["B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M"];
    match kind {
        Operand::Value(Value::S(kind)) if KINDS.contains(&kind.as_str()) => {
            Ok(Condition::Type(path, kind))
        }
        Operand::Value(Value::S(kind)) => Err(format!(
            "Invalid attribute type name found; type: {kind}, valid types: {{{}}}",
            KINDS.join(",")
        )),
        Operand::Value(value) => Err(incorrect_type("attribute_type", &value)),
        Operand::Path(_) | Operand::Size(_) => Err(
            "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: PATH".to_owned(),
        ),
    }
}

fn incorrect_type(operator: &str, value: &Value) -> String {
    format!(
        "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {}",
        value.kind()
    )
}

/// Refuses a value of the request's that the operator has no use for.
fn only(operator: &str, operand: &Operand, kinds: &[&str]) -> Result<(), String> {
    match operand {
        Operand::Value(value) if !kinds.contains(&value.kind()) => {
            Err(incorrect_type(operator, value))
        }
        _ => Ok(()),
    }
}

/// Values that have an order.
const ORDERED: [&str; 3] = ["S", "N", "B"];

fn comparison(parser: &mut Parser<'_>, left: Operand) -> Result<Condition, String> {
    if parser.take_keyword("BETWEEN") {
        let low = operand(parser)?;
        if !parser.take_keyword("AND") {
            return Err(parser.unexpected());
        }
        let high = operand(parser)?;
        for operand in [&left, &low, &high] {
            only("BETWEEN", operand, &ORDERED)?;
        }
        check_bounds(&low, &high)?;
        return Ok(Condition::Between(left, low, high));
    }
    if parser.take_keyword("IN") {
        return Ok(Condition::In(left, list(parser)?));
    }
    let comparator = match (parser.peek().kind.clone(), parser.peek().text) {
        (Kind::Sign, "=") => Comparator::Equal,
        (Kind::Sign, "<>") => Comparator::NotEqual,
        (Kind::Sign, "<") => Comparator::Less,
        (Kind::Sign, "<=") => Comparator::LessOrEqual,
        (Kind::Sign, ">") => Comparator::Greater,
        (Kind::Sign, ">=") => Comparator::GreaterOrEqual,
        _ => return Err(parser.unexpected()),
    };
    let sign = parser.advance().text;
    let right = operand(parser)?;
    if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
        only(sign, &left, &ORDERED)?;
        only(sign, &right, &ORDERED)?;
    }
    if let (Operand::Path(a), Operand::Path(b)) = (&left, &right)
        && a == b
    {
        return Err(format!(
            "The first operand must be distinct from the remaining operands for this operator or function; operator: {sign}, first operand: {a}"
        ));
    }
    Ok(Condition::Compare(comparator, left, right))
}

fn check_bounds(low: &Operand, high: &Operand) -> Result<(), String> {
    let (Operand::Value(low), Operand::Value(high)) = (low, high) else { return Ok(()) };
    let show = |v: &Value| {
        let json = v.to_json(crate::services::Integration::Optimized).to_string();
        format!("AttributeValue: {}", json.replace('"', ""))
    };
    if low.kind() != high.kind() {
        return Err(format!(
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: {}, upper bound operand: {}",
            show(low),
            show(high)
        ));
    }
    if super::evaluate::order(low, high) == Some(std::cmp::Ordering::Greater) {
        return Err(format!(
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: {}, upper bound operand: {}",
            show(low),
            show(high)
        ));
    }
    Ok(())
}

fn list(parser: &mut Parser<'_>) -> Result<Vec<Operand>, String> {
    parser.expect_sign("(")?;
    let mut list = vec![operand(parser)?];
    while parser.take_sign(",") {
        list.push(operand(parser)?);
    }
    parser.expect_sign(")")?;
    if list.len() > MOST_IN {
        return Err(format!(
            "The IN operator is provided with too many operands; number of operands: {}",
            list.len()
        ));
    }
    Ok(list)
}

fn operand(parser: &mut Parser<'_>) -> Result<Operand, String> {
    if parser.peek().kind == Kind::ValuePlaceholder {
        return Ok(Operand::Value(parser.value()?));
    }
    let second = parser.peek_second();
    let calls = parser.peek().kind == Kind::Word && second.kind == Kind::Sign && second.text == "(";
    if !calls {
        return Ok(Operand::Path(parser.path()?));
    }
    let name = parser.advance().text;
    if name != "size" {
        return Err(format!(
            "The function is not allowed to be used this way in an expression; function: {name}"
        ));
    }
    parser.expect_sign("(")?;
    let inner = parser.deeper(operand)?;
    parser.expect_sign(")")?;
    Ok(Operand::Size(path_of("size", inner)?))
}
