//! `UpdateExpression`: `SET`, `REMOVE`, `ADD` and `DELETE` (Developer Guide, "Using update
//! expressions"). Every right-hand side sees the item as it was before.

use super::number::Number;
use super::parser::Parser;
use super::path::{Path, Step};
use super::placeholders::Placeholders;
use super::project::check_overlap;
use super::refusal::Refusal;
use super::token::Kind;
use super::value::{Item, Value, set_attribute};

/// A whole update.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Update {
    set: Vec<(Path, Expression)>,
    remove: Vec<Path>,
    add: Vec<(Path, Value)>,
    delete: Vec<(Path, Value)>,
}

/// A right-hand side.
#[derive(Debug, Clone, PartialEq)]
enum Expression {
    Path(Path),
    Value(Value),
    IfNotExists(Path, Box<Expression>),
    ListAppend(Box<Expression>, Box<Expression>),
    Plus(Box<Expression>, Box<Expression>),
    Minus(Box<Expression>, Box<Expression>),
}

impl Update {
    /// Reads an update expression.
    pub(super) fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Self, String> {
        let mut parser = Parser::new(source, placeholders)?;
        let mut update = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        while parser.peek().kind != Kind::End {
            let section = ["SET", "REMOVE", "ADD", "DELETE"];
            let Some(section) = section.into_iter().find(|s| parser.at_keyword(s)) else {
                return Err(parser.unexpected());
            };
            parser.advance();
            if seen.contains(&section) {
                return Err(format!(
                    "The \"{section}\" section can only be used once in an update expression;"
                ));
            }
            seen.push(section);
            update.section(section, &mut parser)?;
        }
        check_overlap(&update.paths())?;
        Ok(update)
    }

    fn section(&mut self, section: &str, parser: &mut Parser<'_>) -> Result<(), String> {
        loop {
            let path = parser.path()?;
            match section {
                "SET" => {
                    parser.expect_sign("=")?;
                    self.set.push((path, value(parser)?));
                }
                "REMOVE" => self.remove.push(path),
                "ADD" => {
                    let value = parser.value()?;
                    only(&value, "ADD", &["N", "SS", "NS", "BS"])?;
                    self.add.push((path, value));
                }
                _ => {
                    let value = parser.value()?;
                    only(&value, "DELETE", &["SS", "NS", "BS"])?;
                    self.delete.push((path, value));
                }
            }
            if !parser.take_sign(",") {
                return Ok(());
            }
        }
    }

    /// The paths that it writes.
    pub(super) fn paths(&self) -> Vec<Path> {
        let set = self.set.iter().map(|(path, _)| path);
        let add = self.add.iter().map(|(path, _)| path);
        let delete = self.delete.iter().map(|(path, _)| path);
        set.chain(&self.remove).chain(add).chain(delete).cloned().collect()
    }

    /// The item as it is afterwards.
    pub(super) fn apply(&self, before: &Item) -> Result<Item, Refusal> {
        let mut values = Vec::with_capacity(self.set.len());
        for (path, expression) in &self.set {
            values.push((path, expression.evaluate(before)?));
        }
        let mut item = before.clone();
        for (path, value) in values {
            write(&mut item, path, value)?;
        }
        for (path, value) in &self.add {
            let value = match path.find(before) {
                None => value.clone(),
                Some(there) => added(there, value)?,
            };
            write(&mut item, path, value)?;
        }
        let mut gone: Vec<&Path> = self.remove.iter().collect();
        for (path, value) in &self.delete {
            match path.find(before).map(|there| without(there, value)).transpose()? {
                None => {}
                Some(Some(left)) => write(&mut item, path, left)?,
                Some(None) => gone.push(path),
            }
        }
        // From the last element of a list to its first, so that none moves before its turn.
        gone.sort_by(|a, b| b.cmp(a));
        for path in gone {
            remove(&mut item, path)?;
        }
        Ok(item)
    }
}

fn only(value: &Value, operator: &str, kinds: &[&str]) -> Result<(), String> {
    if kinds.contains(&value.kind()) {
        return Ok(());
    }
    Err(format!(
        "Incorrect operand type for operator or function; operator: {operator}, operand type: {}",
        long_kind(value)
    ))
}

/// AWS spells types out in this one message.
fn long_kind(value: &Value) -> &'static str {
    match value {
        Value::S(_) => "STRING",
        Value::N(_) => "NUMBER",
        Value::B(_) => "BINARY",
        Value::Bool(_) => "BOOLEAN",
        Value::Null => "NULL",
        Value::L(_) => "LIST",
        Value::M(_) => "MAP",
        Value::Ss(_) => "STRING_SET",
        Value::Ns(_) => "NUMBER_SET",
        Value::Bs(_) => "BINARY_SET",
    }
}

/// `operand [+|- operand]`.
fn value(parser: &mut Parser<'_>) -> Result<Expression, String> {
    let left = operand(parser)?;
    let (sign, make): (&str, fn(_, _) -> _) = if parser.take_sign("+") {
        ("+", Expression::Plus)
    } else if parser.take_sign("-") {
        ("-", Expression::Minus)
    } else {
        return Ok(left);
    };
    let right = operand(parser)?;
    literal_of(&left, sign, "N")?;
    literal_of(&right, sign, "N")?;
    Ok(make(Box::new(left), Box::new(right)))
}

/// Refuses a value of the request's that has the wrong type for the operator.
fn literal_of(operand: &Expression, operator: &str, kind: &str) -> Result<(), String> {
    match operand {
        Expression::Value(value) if value.kind() != kind => Err(format!(
            "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {}",
            value.kind()
        )),
        _ => Ok(()),
    }
}

fn operand(parser: &mut Parser<'_>) -> Result<Expression, String> {
    if parser.peek().kind == Kind::ValuePlaceholder {
        return Ok(Expression::Value(parser.value()?));
    }
    if parser.take_sign("(") {
        let inner = parser.deeper(value)?;
        parser.expect_sign(")")?;
        return Ok(inner);
    }
    let second = parser.peek_second();
    if parser.peek().kind == Kind::Word && second.kind == Kind::Sign && second.text == "(" {
        return parser.deeper(function);
    }
    Ok(Expression::Path(parser.path()?))
}

fn function(parser: &mut Parser<'_>) -> Result<Expression, String> {
    let name = parser.advance().text;
    if name != "if_not_exists" && name != "list_append" {
        return Err(match name {
            "attribute_exists"
            | "attribute_not_exists"
            | "attribute_type"
            | "begins_with"
            | "contains"
            | "size" => {
                format!("The function is not allowed in an update expression; function: {name}")
            }
            _ => format!("Invalid function name; function: {name}"),
        });
    }
    parser.expect_sign("(")?;
    let mut operands = vec![value(parser)?];
    while parser.take_sign(",") {
        operands.push(value(parser)?);
    }
    parser.expect_sign(")")?;
    let count = operands.len();
    let mut operands = operands.into_iter();
    let (Some(first), Some(second), None) = (operands.next(), operands.next(), operands.next())
    else {
        return Err(format!(
            "Incorrect number of operands for operator or function; operator or function: {name}, number of operands: {count}"
        ));
    };
    if name == "list_append" {
        literal_of(&first, name, "L")?;
        literal_of(&second, name, "L")?;
        return Ok(Expression::ListAppend(Box::new(first), Box::new(second)));
    }
    match first {
        Expression::Path(path) => Ok(Expression::IfNotExists(path, Box::new(second))),
        _ => Err(format!(
            "Operator or function requires a document path; operator or function: {name}"
        )),
    }
}

const WRONG_TYPE: &str = "An operand in the update expression has an incorrect data type";

impl Expression {
    fn evaluate(&self, item: &Item) -> Result<Value, Refusal> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Path(path) => path.find(item).cloned().ok_or_else(|| {
                Refusal::validation(
                    "The provided expression refers to an attribute that does not exist in the item",
                )
            }),
            Self::IfNotExists(path, otherwise) => match path.find(item) {
                Some(there) => Ok(there.clone()),
                None => otherwise.evaluate(item),
            },
            Self::ListAppend(a, b) => match (a.evaluate(item)?, b.evaluate(item)?) {
                (Value::L(mut a), Value::L(b)) => {
                    a.extend(b);
                    Ok(Value::L(a))
                }
                _ => Err(Refusal::validation(WRONG_TYPE)),
            },
            Self::Plus(a, b) => number(&a.evaluate(item)?, &b.evaluate(item)?, Number::add),
            Self::Minus(a, b) => number(&a.evaluate(item)?, &b.evaluate(item)?, Number::subtract),
        }
    }
}

fn number(
    a: &Value,
    b: &Value,
    combine: impl Fn(&Number, &Number) -> Result<Number, super::number::NumberError>,
) -> Result<Value, Refusal> {
    match (a, b) {
        (Value::N(a), Value::N(b)) => {
            combine(a, b).map(Value::N).map_err(|error| Refusal::validation(error.to_string()))
        }
        _ => Err(Refusal::validation(WRONG_TYPE)),
    }
}

fn added(there: &Value, more: &Value) -> Result<Value, Refusal> {
    match (there, more) {
        (Value::N(_), Value::N(_)) => number(there, more, Number::add),
        (Value::Ss(a), Value::Ss(b)) => Ok(Value::Ss(a | b)),
        (Value::Ns(a), Value::Ns(b)) => Ok(Value::Ns(a | b)),
        (Value::Bs(a), Value::Bs(b)) => Ok(Value::Bs(a | b)),
        _ => Err(Refusal::validation(WRONG_TYPE)),
    }
}

/// What is left of a set; `None`: nothing.
fn without(there: &Value, less: &Value) -> Result<Option<Value>, Refusal> {
    Ok(match (there, less) {
        (Value::Ss(a), Value::Ss(b)) => Some(a - b).filter(|s| !s.is_empty()).map(Value::Ss),
        (Value::Ns(a), Value::Ns(b)) => Some(a - b).filter(|s| !s.is_empty()).map(Value::Ns),
        (Value::Bs(a), Value::Bs(b)) => Some(a - b).filter(|s| !s.is_empty()).map(Value::Bs),
        _ => return Err(Refusal::validation(WRONG_TYPE)),
    })
}

fn invalid_path() -> Refusal {
    Refusal::validation("The document path provided in the update expression is invalid for update")
}

/// What the last step of a path is taken from.
fn parent<'a>(item: &'a mut Item, path: &Path) -> Result<&'a mut Value, Refusal> {
    let steps = path.steps.split_last().map_or(&[][..], |(_, steps)| steps);
    let top = item.iter_mut().find(|(name, _)| *name == path.root).map(|(_, value)| value);
    steps.iter().try_fold(top.ok_or_else(invalid_path)?, |value, step| {
        let inner = match (value, step) {
            (Value::M(map), Step::Name(name)) => {
                map.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            (Value::L(list), Step::Index(index)) => list.get_mut(*index),
            _ => None,
        };
        inner.ok_or_else(invalid_path)
    })
}

fn write(item: &mut Item, path: &Path, value: Value) -> Result<(), Refusal> {
    let Some(last) = path.steps.last() else {
        set_attribute(item, &path.root, value);
        return Ok(());
    };
    match (parent(item, path)?, last) {
        (Value::M(map), Step::Name(name)) => set_attribute(map, name, value),
        (Value::L(list), Step::Index(index)) => match list.get_mut(*index) {
            Some(there) => *there = value,
            // Beyond the end: the next element, whatever the number.
            None => list.push(value),
        },
        _ => return Err(invalid_path()),
    }
    Ok(())
}

fn remove(item: &mut Item, path: &Path) -> Result<(), Refusal> {
    let Some(last) = path.steps.last() else {
        item.retain(|(name, _)| *name != path.root);
        return Ok(());
    };
    match (parent(item, path)?, last) {
        (Value::M(map), Step::Name(name)) => map.retain(|(key, _)| key != name),
        (Value::L(list), Step::Index(index)) if *index < list.len() => drop(list.remove(*index)),
        (Value::L(_), Step::Index(_)) => {}
        _ => return Err(invalid_path()),
    }
    Ok(())
}
