//! The file of `[phonebook]`: lines of numbers and a name, or vCards (RFC 6350, and RFC 2426 before
//! it). Pure.

/// Entries of a file.
const MOST: usize = 50_000;
/// Characters of a name.
const MOST_NAME: usize = 80;

/// A number and its name.
pub(crate) type Entry = (String, String);

/// Reads a file. An error says in which line (from 1) and what is wrong there.
pub(crate) fn read(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let cards = text.trim_start().get(..11).is_some_and(|s| s.eq_ignore_ascii_case("BEGIN:VCARD"));
    let entries = if cards { vcards(text)? } else { lines(text)? };
    if entries.len() > MOST {
        return Err((1, format!("there are more than {MOST} numbers")));
    }
    Ok(entries)
}

/// `name,number,number`: fields in any order, apart by commas, semicolons or tabs, perhaps in
/// quotes (RFC 4180). A first line without a number names the columns.
fn lines(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let mut entries = Vec::new();
    let mut first = true;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong =
            |what: &str| (at + 1, format!("{what}: a line is like \"Jane Doe,+12065550100\""));
        let fields = fields(line).ok_or_else(|| wrong("a quote has no end"))?;
        let (numbers, words): (Vec<String>, Vec<String>) =
            fields.into_iter().filter(|field| !field.is_empty()).partition(|f| is_number(f));
        let heading = std::mem::take(&mut first) && numbers.is_empty();
        match words.first().map(|word| name(word)).filter(|name| !name.is_empty()) {
            _ if heading => {}
            Some(_) if numbers.is_empty() => return Err(wrong("there is no number")),
            None => return Err(wrong("there is no name")),
            Some(name) => entries.extend(numbers.into_iter().map(|n| (n, name.clone()))),
        }
    }
    Ok(entries)
}

/// The fields of a line. `None`: a quote is open at its end.
fn fields(line: &str) -> Option<Vec<String>> {
    let (mut all, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.trim().is_empty() => {
                field.clear();
                quoted = true;
            }
            ',' | ';' | '\t' if !quoted => all.push(std::mem::take(&mut field).trim().to_owned()),
            c => field.push(c),
        }
    }
    all.push(field.trim().to_owned());
    (!quoted).then_some(all)
}

/// Digits with what is written between them.
fn is_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let separators = [' ', '-', '.', '(', ')', '/', '\u{a0}'];
    let plain = text
        .chars()
        .enumerate()
        .all(|(at, c)| c.is_ascii_digit() || separators.contains(&c) || (c == '+' && at == 0));
    plain && (2..=18).contains(&digits)
}

fn name(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MOST_NAME).collect()
}

/// Cards with `FN` and any number of `TEL`.
fn vcards(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let mut entries = Vec::new();
    let mut card: Option<(String, Vec<String>)> = None;
    for (line, content) in unfolded(text) {
        let Some((head, value)) = content.split_once(':') else {
            if content.trim().is_empty() {
                continue;
            }
            return Err((line, "a line of a vCard has no colon".to_owned()));
        };
        // Groups stand before a full stop, parameters behind semicolons.
        let property = head.split(';').next().unwrap_or_default();
        let property = property.rsplit('.').next().unwrap_or_default();
        let is = |name: &str| property.eq_ignore_ascii_case(name);
        match &mut card {
            _ if is("BEGIN") => card = Some((String::new(), Vec::new())),
            Some((shown, _)) if is("FN") => *shown = name(&unescaped(value)),
            Some((_, numbers)) if is("TEL") => {
                let number = value.trim().strip_prefix("tel:").unwrap_or(value).trim();
                let number = number.split(';').next().unwrap_or_default();
                if is_number(number) {
                    numbers.push(number.to_owned());
                }
            }
            Some(_) if is("END") => {
                let (shown, numbers) = card.take().unwrap_or_default();
                if shown.is_empty() && !numbers.is_empty() {
                    return Err((line, "a vCard with a number has no FN".to_owned()));
                }
                entries.extend(numbers.into_iter().map(|number| (number, shown.clone())));
            }
            _ => {}
        }
    }
    match card {
        Some(_) => Err((text.lines().count(), "the last vCard has no END:VCARD".to_owned())),
        None => Ok(entries),
    }
}

/// Lines with those that go on behind them (RFC 6350 §3.2), each with its number.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), all.last_mut()) {
            (Some(more), Some((_, last))) => last.push_str(more),
            _ => all.push((at + 1, line.to_owned())),
        }
    }
    all
}

/// RFC 6350 §3.4.
fn unescaped(text: &str) -> String {
    let (mut out, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push(' '),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, String)> {
        read(text).unwrap()
    }

    fn entry(number: &str, name: &str) -> Entry {
        (number.to_owned(), name.to_owned())
    }

    #[test]
    fn lines_have_a_name_and_numbers_in_any_order() {
        let text = "Name;Office;Mobile\n# people\n\nJane Doe;+1 206 555-0100;(206) 555 0101\n\
                    0301234567\t\"Meier, \"\"Max\"\"\"\n";
        let wanted = [
            entry("+1 206 555-0100", "Jane Doe"),
            entry("(206) 555 0101", "Jane Doe"),
            entry("0301234567", "Meier, \"Max\""),
        ];
        assert_eq!(of(text), wanted);
        assert_eq!(of(""), []);
        let long = of(&format!("+12065550100,{}", "n".repeat(500)));
        assert_eq!(long[0].1.len(), MOST_NAME);
    }

    #[test]
    fn a_line_that_makes_no_sense_is_told_with_its_number() {
        for (text, line, why) in [
            ("a,+12065550100\nb,c\n", 2, "there is no number"),
            ("+12065550100\n", 1, "there is no name"),
            ("a,+12065550100\n\"b,+12065550101\n", 2, "a quote has no end"),
            ("BEGIN:VCARD\nTEL:+12065550100\nEND:VCARD\n", 3, "has no FN"),
            ("BEGIN:VCARD\nFN:a\n", 2, "no END:VCARD"),
            ("BEGIN:VCARD\nFN a\nEND:VCARD\n", 2, "no colon"),
        ] {
            let (at, told) = read(text).unwrap_err();
            assert!(at == line && told.contains(why), "{text}: {at} {told}");
        }
    }

    #[test]
    fn cards_of_phones_and_programs_are_read() {
        let text = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Jane\\, the\r\n  first\r\n\
                    item1.TEL;TYPE=work,voice:+1-206-555-0100\r\n\
                    TEL;VALUE=uri:tel:+1-206-555-0101;ext=7\r\nEMAIL:jane@example.com\r\n\
                    END:VCARD\r\nbegin:vcard\r\nfn:No number\r\nend:vcard\r\n";
        let wanted = [
            entry("+1-206-555-0100", "Jane, the first"),
            entry("+1-206-555-0101", "Jane, the first"),
        ];
        assert_eq!(of(text), wanted);
    }
}
