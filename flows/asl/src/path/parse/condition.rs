//! The condition inside `[?( … )]`.

use super::{MOST_NESTING, literal, steps};
use crate::cursor::Cursor;
use crate::path::PathError;
use crate::path::filter::{Filter, Operand, Operator, Pattern};
use regex_lite::RegexBuilder;

/// The operators as they are written, the longer ones first.
const OPERATORS: [(&str, Operator); 16] = [
    ("===", Operator::Equal),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("in", Operator::In),
    ("nin", Operator::NotIn),
    ("subsetof", Operator::SubsetOf),
    ("anyof", Operator::AnyOf),
    ("noneof", Operator::NoneOf),
    ("sizeof", Operator::Size),
    ("size", Operator::Size),
    ("empty", Operator::Empty),
    ("contains", Operator::Contains),
];

/// `a || b`
pub(super) fn any(cursor: &mut Cursor, depth: usize) -> Result<Filter, PathError> {
    let mut parts = vec![all(cursor, depth)?];
    cursor.skip_blanks();
    while cursor.eat("||") {
        parts.push(all(cursor, depth)?);
        cursor.skip_blanks();
    }
    Ok(single(parts, Filter::Or))
}

/// `a && b`
fn all(cursor: &mut Cursor, depth: usize) -> Result<Filter, PathError> {
    let mut parts = vec![one(cursor, depth)?];
    cursor.skip_blanks();
    while cursor.eat("&&") {
        parts.push(one(cursor, depth)?);
        cursor.skip_blanks();
    }
    Ok(single(parts, Filter::And))
}

fn single(mut parts: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            many(parts)
        }
    }
}

fn one(cursor: &mut Cursor, depth: usize) -> Result<Filter, PathError> {
    if depth >= MOST_NESTING {
        return Err(cursor.fail("the condition is nested too deep"));
    }
    cursor.skip_blanks();
    if cursor.eat("!") {
        return Ok(Filter::Not(Box::new(one(cursor, depth + 1)?)));
    }
    if cursor.eat("(") {
        let inner = any(cursor, depth + 1)?;
        cursor.skip_blanks();
        cursor.expect(")")?;
        return Ok(inner);
    }
    let left = operand(cursor, depth)?;
    cursor.skip_blanks();
    if cursor.eat("=~") {
        cursor.skip_blanks();
        return Ok(Filter::Matches(left, pattern(cursor)?));
    }
    let Some(operator) = operator(cursor) else {
        return match left {
            Operand::Literal(_) => Err(cursor.fail("an operator is expected here")),
            path => Ok(Filter::Exists(path)),
        };
    };
    cursor.skip_blanks();
    Ok(Filter::Compare(left, operator, operand(cursor, depth)?))
}

fn operator(cursor: &mut Cursor) -> Option<Operator> {
    OPERATORS.iter().find_map(|(text, operator)| {
        let is_word = text.starts_with(|c: char| c.is_ascii_lowercase());
        let after = cursor.peek_after(text.len());
        let whole_word = !is_word || !after.is_some_and(char::is_alphanumeric);
        (whole_word && cursor.eat(text)).then_some(*operator)
    })
}

fn operand(cursor: &mut Cursor, depth: usize) -> Result<Operand, PathError> {
    cursor.skip_blanks();
    if cursor.eat("@") {
        return Ok(Operand::Current(steps(cursor, true, depth)?));
    }
    if cursor.eat("$") {
        return Ok(Operand::Root(steps(cursor, true, depth)?));
    }
    literal(cursor, 0).map(Operand::Literal)
}

/// `/text/i`
fn pattern(cursor: &mut Cursor) -> Result<Pattern, PathError> {
    cursor.expect("/")?;
    let mut source = String::new();
    loop {
        match cursor.next() {
            Some('/') => break,
            Some('\\') if cursor.eat("/") => source.push('/'),
            Some('\\') => {
                source.push('\\');
                source.extend(cursor.next());
            }
            Some(c) => source.push(c),
            None => return Err(cursor.fail("the regular expression does not end with `/`")),
        }
    }
    let flags = cursor.take_while(|c| c.is_ascii_alphabetic());
    let regex = RegexBuilder::new(&format!("^(?:{source})$"))
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'))
        .size_limit(1 << 20)
        .build()
        .map_err(|error| cursor.fail(format!("the regular expression is wrong: {error}")))?;
    Ok(Pattern { source: format!("/{source}/{flags}"), regex })
}
