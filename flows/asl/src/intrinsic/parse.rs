//! From text to a call.

use super::{Argument, Call, Function};
use crate::cursor::Cursor;
use crate::path::{Path, PathError};
use serde_json::Value;

/// AWS lets calls lie in each other ten deep.
const MOST_NESTING: usize = 10;

/// The whole of `source` as a call.
pub(super) fn whole(source: &str) -> Result<Call, PathError> {
    let mut cursor = Cursor::new(source);
    cursor.skip_blanks();
    let call = call(&mut cursor, 1)?;
    cursor.skip_blanks();
    match cursor.peek() {
        None => Ok(call),
        Some(found) => Err(cursor.fail(format!("`{found}` is not expected after the call"))),
    }
}

fn call(cursor: &mut Cursor, depth: usize) -> Result<Call, PathError> {
    let start = cursor.position();
    if depth > MOST_NESTING {
        return Err(cursor.fail(format!("calls are nested more than {MOST_NESTING} deep")));
    }
    let name = cursor.take_while(|c| c.is_alphanumeric() || c == '.');
    let Some(function) = Function::named(&name) else {
        let position = start;
        let message = format!("there is no intrinsic function `{name}`");
        return Err(PathError { message, position, suggestion: Function::like(&name) });
    };
    cursor.skip_blanks();
    cursor.expect("(")?;
    let mut arguments = Vec::new();
    cursor.skip_blanks();
    if !cursor.eat(")") {
        loop {
            arguments.push(argument(cursor, depth)?);
            cursor.skip_blanks();
            if cursor.eat(")") {
                break;
            }
            cursor.expect(",")?;
            cursor.skip_blanks();
        }
    }
    Ok(Call { function, arguments })
}

fn argument(cursor: &mut Cursor, depth: usize) -> Result<Argument, PathError> {
    match cursor.peek() {
        Some('\'') => text(cursor).map(Argument::Text),
        Some('$') => path(cursor).map(Argument::Path),
        Some('S') => call(cursor, depth + 1).map(Argument::Call),
        _ => {
            let position = cursor.position();
            let word = cursor.take_while(|c| !matches!(c, ',' | ')'));
            match serde_json::from_str::<Value>(word.trim()) {
                Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => {
                    Ok(Argument::Value(value))
                }
                _ => {
                    let word = word.trim();
                    let message = format!("`{word}` is neither a path, a call nor a constant");
                    let text = word.trim_matches('"');
                    let suggestion = (!text.is_empty()).then(|| format!("'{text}'"));
                    Err(PathError { message, position, suggestion })
                }
            }
        }
    }
}

/// Between single quotes, backslashes kept.
fn text(cursor: &mut Cursor) -> Result<String, PathError> {
    cursor.expect("'")?;
    let mut raw = String::new();
    loop {
        match cursor.next() {
            Some('\'') => return Ok(raw),
            Some('\\') => {
                raw.push('\\');
                match cursor.next() {
                    Some(next) => raw.push(next),
                    None => return Err(cursor.fail("the text does not end with `'`")),
                }
            }
            Some(next) => raw.push(next),
            None => return Err(cursor.fail("the text does not end with `'`")),
        }
    }
}

/// A path up to the `,` or `)` that does not belong to it.
fn path(cursor: &mut Cursor) -> Result<Path, PathError> {
    let start = cursor.position();
    let mut open = 0_usize;
    let mut quote = None;
    while let Some(c) = cursor.peek() {
        match (quote, c) {
            (Some(_), '\\') => {
                cursor.next();
            }
            (Some(end), c) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if open > 0 => quote = Some(c),
            (None, '[' | '(') => open += 1,
            (None, ',' | ')') if open == 0 => break,
            (None, ']' | ')') => open = open.saturating_sub(1),
            _ => {}
        }
        cursor.next();
    }
    Path::parse(cursor.since(start).trim_end()).map_err(|mut error| {
        error.position += start;
        error
    })
}
