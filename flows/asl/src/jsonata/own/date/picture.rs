//! The parts of a date picture.

use super::super::integer::picture::{Case, Decimal, Grouping, Picture as IntegerPicture};
use super::super::{coded, js};
use crate::jsonata::error::{Result, memory};
use crate::jsonata::limits::MOST_WIDTH;
use serde_json::Value;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A picture, read.
pub(super) struct Picture {
    pub(super) parts: Vec<Part>,
}

pub(super) enum Part {
    Literal(String),
    Marker(Marker),
}

/// `[M01]`
pub(super) struct Marker {
    /// None of `[,2]`, whose component is the comma.
    pub(super) component: char,
    pub(super) names: Option<Case>,
    /// `t`
    pub(super) is_traditional: bool,
    /// How a number is written; none for names.
    pub(super) integer: Option<IntegerPicture>,
    /// Whether widths are given at all.
    pub(super) has_width: bool,
    /// A name's widest, which may be no number.
    pub(super) widest: Option<f64>,
    /// Of a year: the digits that are kept of it. `None` if all are.
    pub(super) kept: Option<f64>,
    /// Of a year, a month or a day: how many digits are read, at least and at most.
    pub(super) digits: Option<(usize, usize)>,
}

impl Picture {
    /// # Errors
    ///
    /// D3131, D3132, D3135; for widths beyond [`MOST_WIDTH`].
    pub(super) fn read(picture: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = picture;
        while let Some((literal, after)) = rest.split_once('[') {
            push_literal(&mut parts, literal);
            if let Some(after) = after.strip_prefix('[') {
                parts.push(Part::Literal("[".to_owned()));
                rest = after;
                continue;
            }
            let Some((marker, after)) = after.split_once(']') else {
                let words = "No matching closing bracket ']' in date/time picture string";
                return Err(coded("D3135", words));
            };
            parts.push(Part::Marker(Marker::read(marker)?));
            rest = after;
        }
        push_literal(&mut parts, rest);
        Ok(Self { parts })
    }
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) {
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.replace("]]", "]")));
    }
}

/// Whether a component is a number.
pub(super) fn is_numeric(component: char) -> bool {
    "YMDdFWwXxHhmsf".contains(component)
}

/// What a component is presented as if its marker does not say.
fn presentation(component: Option<char>) -> Option<&'static str> {
    Some(match component? {
        'm' | 's' => "01",
        'F' | 'P' | 'C' | 'E' => "n",
        'Z' | 'z' => "01:01",
        component if is_numeric(component) => "1",
        _ => return None,
    })
}

impl Marker {
    /// Of what is between brackets.
    fn read(marker: &str) -> Result<Self> {
        let is_blank = super::super::integer::is_blank;
        let marker: String = marker.chars().filter(|char| !is_blank(*char)).collect();
        let component = marker.chars().next();
        let first = component.map_or(0, char::len_utf8);
        let (given, widths) = match marker.rfind(',') {
            // The comma of `[,2]` is its component, and presents it.
            Some(0) => (",", marker.get(1..)),
            Some(comma) => (marker.get(first..comma).unwrap_or_default(), marker.get(comma + 1..)),
            None => (marker.get(first..).unwrap_or_default(), None),
        };
        let (least, widest) = match widths {
            Some(widths) => match widths.split_once('-') {
                Some((least, widest)) => (width(least)?, width(widest)?),
                None => (width(widths)?, None),
            },
            None => (None, None),
        };
        let mut given = (!given.is_empty()).then_some(given);
        let mut modifier = None;
        if let Some(text) = given
            && text.encode_utf16().count() > 1
            && let Some(last) = text.chars().next_back().filter(|last| "atco".contains(*last))
        {
            modifier = Some(last);
            given = text.get(..text.len() - 1);
        }
        let Some((component, given)) = component.zip(given.or_else(|| presentation(component)))
        else {
            let component = Value::from(component.map_or(String::new(), String::from));
            let words =
                format!("Unknown component specifier {component} in date/time picture string");
            return Err(coded("D3132", &words));
        };
        let mut marker = Self {
            component,
            names: names(given),
            is_traditional: modifier == Some('t'),
            integer: None,
            has_width: widths.is_some(),
            widest,
            kept: None,
            digits: None,
        };
        if matches!(component, 'Z' | 'z') {
            marker.integer = Some(IntegerPicture::read(given)?);
        } else if marker.is_number() {
            let modifier = modifier.map_or(String::new(), |modifier| format!(";{modifier}"));
            let integer = IntegerPicture::read(&format!("{given}{modifier}"))?;
            marker.set_widths(integer, least);
        }
        Ok(marker)
    }

    /// Whether it is a number that is written as one.
    pub(super) fn is_number(&self) -> bool {
        is_numeric(self.component) && self.names.is_none()
    }

    fn set_widths(&mut self, mut integer: IntegerPicture, least: Option<f64>) {
        let mut nothing = Decimal {
            zero: 0,
            mandatory: f64::NAN,
            optional: f64::NAN,
            grouping: Grouping::Irregular(Vec::new()),
        };
        let decimal = integer.decimal().unwrap_or(&mut nothing);
        if let Some(least) = least.filter(|least| decimal.mandatory < *least) {
            decimal.mandatory = least;
        }
        if matches!(self.component, 'Y' | 'M' | 'D') {
            let most = match self.widest {
                Some(widest) => {
                    decimal.mandatory = widest;
                    Some(widest)
                }
                None => Some(decimal.mandatory + decimal.optional).filter(|digits| *digits >= 2.0),
            };
            // 2.0.6 finds no number that may have fewer digits than none.
            let least = |most: f64| match most - decimal.optional {
                least if least < 0.0 => usize::MAX,
                least => least as usize,
            };
            self.digits = most.filter(|most| *most > 0.0).map(|most| (least(most), most as usize));
            // XPath functions, section 9.8.4.4.
            self.kept = most.filter(|_| self.component == 'Y');
        }
        self.integer = Some(integer);
    }
}

fn names(presentation: &str) -> Option<Case> {
    let mut chars = presentation.chars();
    match (chars.next(), chars.next()) {
        (Some('n'), _) => Some(Case::Lower),
        (Some('N'), Some('n')) => Some(Case::Title),
        (Some('N'), _) => Some(Case::Upper),
        _ => None,
    }
}

/// `None` if it is not given, `NaN` if it is no number.
fn width(text: &str) -> Result<Option<f64>> {
    if text == "*" {
        return Ok(None);
    }
    let width = js::parse_int(text);
    if width.abs() > MOST_WIDTH as f64 { Err(memory()) } else { Ok(Some(width)) }
}
