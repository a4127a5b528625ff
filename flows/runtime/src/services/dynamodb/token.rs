//! Words of an expression (Developer Guide, "Using expressions in DynamoDB").

/// The longest expression.
const LONGEST: usize = 4096;

/// What a word is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a keyword or a function.
    Word,
    /// `#name`, a placeholder in `ExpressionAttributeNames`.
    NamePlaceholder,
    /// `:value`, a placeholder in `ExpressionAttributeValues`.
    ValuePlaceholder,
    /// Digits.
    Digits,
    /// Punctuation: one of `. [ ] ( ) , = <> < <= > >= + -`.
    Sign,
    /// Behind the last.
    End,
}

/// A word, with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// As it is written.
    pub(super) text: &'a str,
    /// Of its first byte.
    pub(super) at: usize,
}

impl Token<'_> {
    fn end(&self) -> usize {
        self.at + self.text.len()
    }
}

/// Cuts an expression into words; the last is [`Kind::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, String> {
    if source.len() > LONGEST {
        return Err(format!(
            "Expression size has exceeded the maximum allowed size; expression size: {}",
            source.len()
        ));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, length) = word(&source[at..], first);
        let Some(kind) = kind else {
            let near = &source[at..next_boundary(source, at + length + 12)];
            return Err(syntax_error(&source[at..at + length], near));
        };
        tokens.push(Token { kind, text: &source[at..at + length], at });
        at += length;
    }
    tokens.push(Token { kind: Kind::End, text: "", at: source.len() });
    Ok(tokens)
}

fn next_boundary(source: &str, at: usize) -> usize {
    (at..source.len()).find(|i| source.is_char_boundary(*i)).unwrap_or(source.len())
}

/// The first word of `rest`, and its length; `None`: it is none.
fn word(rest: &str, first: char) -> (Option<Kind>, usize) {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let run = |start: usize, wanted: &dyn Fn(char) -> bool| {
        let tail = &rest[start..];
        start + tail.find(|c| !wanted(c)).unwrap_or(tail.len())
    };
    match first {
        '#' | ':' => {
            let length = run(1, &named);
            let kind = if first == '#' { Kind::NamePlaceholder } else { Kind::ValuePlaceholder };
            (if length > 1 { Some(kind) } else { None }, length)
        }
        '0'..='9' => {
            let length = run(0, &named);
            let digits = rest[..length].bytes().all(|b| b.is_ascii_digit());
            (Some(if digits { Kind::Digits } else { Kind::Word }), length)
        }
        c if named(c) => (Some(Kind::Word), run(0, &named)),
        '<' if rest.starts_with("<>") || rest.starts_with("<=") => (Some(Kind::Sign), 2),
        '>' if rest.starts_with(">=") => (Some(Kind::Sign), 2),
        '.' | '[' | ']' | '(' | ')' | ',' | '=' | '<' | '>' | '+' | '-' => (Some(Kind::Sign), 1),
        other => (None, other.len_utf8()),
    }
}

/// AWS's words for a token that does not belong where it stands.
pub(super) fn syntax_error(token: &str, near: &str) -> String {
    format!("Syntax error; token: \"{token}\", near: \"{near}\"")
}

/// The same, with the neighbours of the token at `index`.
pub(super) fn unexpected(source: &str, tokens: &[Token<'_>], index: usize) -> String {
    let Some(token) = tokens.get(index) else { return syntax_error("<EOF>", source) };
    let from = index.checked_sub(1).and_then(|i| tokens.get(i)).map_or(token.at, |t| t.at);
    let to = tokens.get(index + 1).map_or(token.end(), Token::end);
    let near = source.get(from..to).unwrap_or(source).trim_end();
    match token.kind {
        Kind::End => syntax_error("<EOF>", near),
        _ => syntax_error(token.text, near),
    }
}
