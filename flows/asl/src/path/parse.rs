//! From text to a path.

mod condition;

use super::function::{Argument, Function};
use super::step::Step;
use super::{Path, PathError, Root};
use crate::cursor::Cursor;
use serde_json::{Map, Value};

/// How deep filters may lie in each other.
const MOST_NESTING: usize = 16;

/// The whole of `source` as a path.
pub(super) fn path(source: &str) -> Result<Path, PathError> {
    let mut cursor = Cursor::new(source);
    if !cursor.eat("$") {
        let mut error = cursor.fail("a path begins with `$`");
        let bare = !source.is_empty() && source.chars().all(|c| c.is_alphanumeric() || c == '.');
        error.suggestion = bare.then(|| format!("$.{}", source.trim_matches('.')));
        return Err(error);
    }
    let root = root(&mut cursor);
    let steps = steps(&mut cursor, false, 0)?;
    match cursor.peek() {
        None => {
            let refused_since = cursor.refused_since;
            Ok(Path { source: source.to_owned(), root, steps, refused_since })
        }
        Some(found) => Err(cursor.fail(format!("`{found}` is not expected here"))),
    }
}

/// After the first `$`: another for the context object, a name for a variable.
fn root(cursor: &mut Cursor) -> Root {
    if cursor.eat("$") {
        return Root::Context;
    }
    match cursor.take_while(|c| c.is_alphanumeric() || c == '_') {
        name if name.is_empty() => Root::Input,
        name => Root::Variable(name),
    }
}

/// Steps up to the end or, in a filter, to what cannot belong to a path.
fn steps(cursor: &mut Cursor, in_filter: bool, depth: usize) -> Result<Vec<Step>, PathError> {
    let mut steps = Vec::new();
    loop {
        if cursor.eat("..") {
            steps.push(Step::Descend);
            match cursor.peek() {
                Some('[') => bracket(cursor, depth, &mut steps)?,
                Some(_) => name(cursor, in_filter, depth, &mut steps)?,
                None => return Err(cursor.fail("a path does not end with `..`")),
            }
        } else if cursor.eat(".") {
            match cursor.peek() {
                Some('[') => bracket(cursor, depth, &mut steps)?,
                Some(_) => name(cursor, in_filter, depth, &mut steps)?,
                None => return Err(cursor.fail("a path does not end with `.`")),
            }
        } else if cursor.peek() == Some('[') {
            bracket(cursor, depth, &mut steps)?;
        } else {
            return Ok(steps);
        }
        let ended = matches!(steps.last(), Some(Step::Function(_)));
        if ended {
            return Ok(steps);
        }
    }
}

/// A name after a dot, a wildcard or a function. Everything but `.`, `[`, `(` and blanks belongs
/// to a name, hyphens and all; in a filter an operator ends it as well.
fn name(
    cursor: &mut Cursor,
    in_filter: bool,
    depth: usize,
    steps: &mut Vec<Step>,
) -> Result<(), PathError> {
    if cursor.eat("*") {
        steps.push(Step::Wildcard);
        return Ok(());
    }
    let start = cursor.position();
    let name = cursor.take_while(|c| {
        let ends = matches!(c, '.' | '[' | '(' | ']') || c.is_whitespace();
        let operator = matches!(c, ')' | '=' | '<' | '>' | '!' | '&' | '|' | ',' | '~');
        !(ends || in_filter && operator)
    });
    if name.is_empty() {
        return Err(cursor.fail("a name is missing here"));
    }
    if cursor.peek() == Some('(') {
        let arguments = arguments(cursor, depth)?;
        let function = Function::named(&name, arguments).map_err(|message| {
            let position = start;
            PathError { message, position, suggestion: None }
        })?;
        steps.push(Step::Function(function));
        return Ok(());
    }
    if !in_filter && cursor.peek().is_some_and(char::is_whitespace) {
        let rest = cursor.take_while(|c| !matches!(c, '.' | '['));
        let mut error = cursor.fail("a name with blanks stands in brackets and quotes");
        error.position = start;
        error.suggestion = Some(format!("['{name}{}']", rest.trim_end()));
        return Err(error);
    }
    steps.push(Step::Name(name));
    Ok(())
}

/// The constants and paths between a function's parentheses.
fn arguments(cursor: &mut Cursor, depth: usize) -> Result<Vec<Argument>, PathError> {
    if depth >= MOST_NESTING {
        return Err(cursor.fail("functions are nested too deep"));
    }
    cursor.expect("(")?;
    let mut arguments = Vec::new();
    cursor.skip_blanks();
    while !cursor.eat(")") {
        arguments.push(if cursor.eat("$") {
            Argument::Path(steps(cursor, true, depth + 1)?)
        } else {
            Argument::Constant(literal(cursor, 0)?)
        });
        cursor.skip_blanks();
        if !cursor.eat(",") && cursor.peek() != Some(')') {
            return Err(cursor.fail("`,` or `)` is expected here"));
        }
        cursor.skip_blanks();
    }
    Ok(arguments)
}

/// What stands in brackets.
fn bracket(cursor: &mut Cursor, depth: usize, steps: &mut Vec<Step>) -> Result<(), PathError> {
    cursor.expect("[")?;
    cursor.skip_blanks();
    let step = match cursor.peek() {
        Some('*') => {
            cursor.next();
            Step::Wildcard
        }
        Some('?') => {
            cursor.next();
            cursor.skip_blanks();
            if cursor.peek() != Some('(') {
                let mut error = cursor.fail("a filter stands in parentheses");
                error.suggestion = Some("[?(@.name == 'value')]".to_owned());
                return Err(error);
            }
            if depth >= MOST_NESTING {
                return Err(cursor.fail("filters are nested too deep"));
            }
            cursor.next();
            let filter = condition::any(cursor, depth + 1)?;
            cursor.skip_blanks();
            cursor.expect(")")?;
            Step::Filter(filter)
        }
        Some('\'' | '"') => names(cursor)?,
        _ => indices(cursor)?,
    };
    cursor.skip_blanks();
    cursor.expect("]")?;
    steps.push(step);
    Ok(())
}

fn names(cursor: &mut Cursor) -> Result<Step, PathError> {
    let first = quoted(cursor)?;
    let mut names = vec![first.clone()];
    cursor.skip_blanks();
    while cursor.eat(",") {
        cursor.skip_blanks();
        names.push(quoted(cursor)?);
        cursor.skip_blanks();
    }
    Ok(if names.len() == 1 { Step::Name(first) } else { Step::Names(names) })
}

fn indices(cursor: &mut Cursor) -> Result<Step, PathError> {
    let first = whole(cursor)?;
    cursor.skip_blanks();
    if cursor.eat(":") {
        cursor.skip_blanks();
        let to = whole(cursor)?;
        cursor.skip_blanks();
        let by = if cursor.eat(":") { whole(cursor)?.unwrap_or(1) } else { 1 };
        let counts = first.is_none() && to.is_none();
        let by = if counts { usize::try_from(by).ok().filter(|&by| by > 0) } else { Some(1) };
        let by = by.ok_or_else(|| cursor.fail("a slice's step is a number from 1 on"))?;
        return Ok(Step::Slice { from: first, to, by });
    }
    let Some(first) = first else {
        let mut error = cursor.fail("an index, a quoted name, `*` or a filter is expected here");
        let name = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        error.suggestion = (!name.is_empty()).then(|| format!("['{name}']"));
        return Err(error);
    };
    let mut indices = vec![first];
    while cursor.eat(",") {
        cursor.skip_blanks();
        let next = whole(cursor)?;
        indices.push(next.ok_or_else(|| cursor.fail("an index is missing here"))?);
        cursor.skip_blanks();
    }
    Ok(if indices.len() == 1 { Step::Index(first) } else { Step::Indices(indices) })
}

/// A whole number with its sign, or `None` if there is none here.
fn whole(cursor: &mut Cursor) -> Result<Option<i64>, PathError> {
    let start = cursor.position();
    cursor.eat("-");
    cursor.take_while(|c| c.is_ascii_digit());
    let text = cursor.since(start);
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| cursor.fail(format!("`{text}` is not a whole number")))
}

/// Text in single or double quotes; a backslash takes the next character as it is.
fn quoted(cursor: &mut Cursor) -> Result<String, PathError> {
    let Some(quote @ ('\'' | '"')) = cursor.next() else {
        return Err(cursor.fail("a quoted name is expected here"));
    };
    let mut text = String::new();
    loop {
        match cursor.next() {
            Some(c) if c == quote => return Ok(text),
            Some('\\') => match cursor.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(c) => text.push(c),
                None => return Err(cursor.fail("the quoted text does not end")),
            },
            Some(c) => text.push(c),
            None => return Err(cursor.fail("the quoted text does not end")),
        }
    }
}

/// A constant object. Its names may stand in either kind of quotes, or in none, and a comma may be
/// behind the last member, as the JSON parser of Jayway reads it (json-smart).
fn members(cursor: &mut Cursor, depth: usize) -> Result<Map<String, Value>, PathError> {
    cursor.expect("{")?;
    let mut members = Map::new();
    cursor.skip_blanks();
    while !cursor.eat("}") {
        let name = match cursor.peek() {
            Some('\'' | '"') => quoted(cursor)?,
            _ => {
                let bare = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
                let name = cursor.take_while(bare);
                if name.is_empty() && cursor.peek() != Some(':') {
                    return Err(cursor.fail("a member's name is expected here"));
                }
                if name.is_empty() {
                    let wrong = cursor.fail("a member's name is expected here");
                    cursor.refused_since.get_or_insert(Box::new(wrong));
                }
                name
            }
        };
        cursor.skip_blanks();
        cursor.expect(":")?;
        cursor.skip_blanks();
        members.insert(name, literal(cursor, depth + 1)?);
        cursor.skip_blanks();
        if !cursor.eat(",") && cursor.peek() != Some('}') {
            return Err(cursor.fail("`,` or `}` is expected here"));
        }
        cursor.skip_blanks();
    }
    Ok(members)
}

/// A constant: text, number, true, false, null, a list or an object of them.
fn literal(cursor: &mut Cursor, depth: usize) -> Result<Value, PathError> {
    match cursor.peek() {
        Some('\'' | '"') => quoted(cursor).map(Value::String),
        Some('[') if depth < MOST_NESTING => {
            cursor.next();
            let mut items = Vec::new();
            cursor.skip_blanks();
            while !cursor.eat("]") {
                items.push(literal(cursor, depth + 1)?);
                cursor.skip_blanks();
                if !cursor.eat(",") && cursor.peek() != Some(']') {
                    return Err(cursor.fail("`,` or `]` is expected here"));
                }
                cursor.skip_blanks();
            }
            Ok(Value::Array(items))
        }
        Some('{') if depth < MOST_NESTING => members(cursor, depth).map(Value::Object),
        _ => {
            let word =
                cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '+' | '.' | '_'));
            match serde_json::from_str(&word).ok().or_else(|| decimal(&word)) {
                Some(value) => Ok(value),
                None if word.is_empty() => Err(cursor.fail("a value or a path is expected here")),
                None => Err(cursor.fail(format!("`{word}` is neither a value nor a path"))),
            }
        }
    }
}

/// A number as Java's `BigDecimal` reads it, with which Jayway does: `.85`, `5.`, `007`.
fn decimal(word: &str) -> Option<Value> {
    let (mantissa, exponent) = match word.find(['e', 'E']) {
        Some(at) => word.split_at(at),
        None => (word, ""),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let part = if part.is_empty() { "0" } else { part };
    serde_json::from_str(&format!("{sign}{whole}.{part}{exponent}")).ok().filter(Value::is_number)
}
