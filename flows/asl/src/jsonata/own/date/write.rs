//! Times, written by a picture.

use super::super::integer::picture::{Case, Grouping, Picture as IntegerPicture, Primary};
use super::super::integer::write::written as integer_text;
use super::super::{coded, js};
use super::fields::Time;
use super::no_property;
use super::picture::{DAYS, MONTHS, Marker, Part, Picture};
use crate::jsonata::error::Result;
use serde_json::Value;

/// An offset from UTC in hours and minutes, the minutes with the sign of the whole.
struct Zone {
    hours: f64,
    minutes: f64,
}

impl Zone {
    /// `+0530`. The hours of a negative one with minutes are one more than they should be, as in 2.0.6.
    fn read(text: Option<&str>) -> Self {
        let offset = text.map_or(0.0, js::parse_int);
        Self { hours: (offset / 100.0).floor(), minutes: offset % 100.0 }
    }

    fn millis(&self) -> f64 {
        (60.0 * self.hours + self.minutes) * 60_000.0
    }
}

/// `millis` since 1970 by `picture`, in a time zone or UTC.
pub(super) fn written(millis: f64, picture: &Picture, zone: Option<&str>) -> Result<String> {
    let zone = Zone::read(zone);
    let time = Time::of(millis + zone.millis());
    let mut text = String::new();
    for part in &picture.parts {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Marker(marker) => text.push_str(&marker_text(marker, time, &zone)?),
        }
    }
    Ok(text)
}

fn marker_text(marker: &Marker, time: Time, zone: &Zone) -> Result<String> {
    match marker.component {
        'Z' | 'z' => zone_text(marker, zone),
        'P' => {
            let half = if time.is_pm() { "pm" } else { "am" };
            Ok(if marker.names == Some(Case::Upper) {
                half.to_uppercase()
            } else {
                half.to_owned()
            })
        }
        'C' | 'E' => Ok("ISO".to_owned()),
        'f' if marker.names.is_some() => Err(no_property()),
        component => match (&marker.integer, marker.names) {
            (Some(integer), _) => {
                let field = time.field(component);
                let kept = marker.kept.map_or(field, |kept| field % 10_f64.powf(kept));
                integer_text(kept, integer)
            }
            (None, Some(case)) if super::picture::is_numeric(component) => {
                name_text(marker, time.field(component), case)
            }
            // A component that there is not.
            (None, _) => Ok("undefined".to_owned()),
        },
    }
}

fn name_text(marker: &Marker, field: f64, case: Case) -> Result<String> {
    let names: &[&str] = match marker.component {
        'M' | 'x' => &MONTHS,
        'F' => &DAYS,
        component => return Err(no_name(component)),
    };
    let name = if field.is_nan() { None } else { names.get(field as usize - 1) };
    let name = match (name, case) {
        (Some(name), Case::Upper) => name.to_uppercase(),
        (Some(name), Case::Lower) => name.to_lowercase(),
        (Some(name), Case::Title) => (*name).to_owned(),
        (None, Case::Title) if !marker.has_width => "undefined".to_owned(),
        (None, _) => return Err(no_property()),
    };
    Ok(match marker.widest {
        Some(widest) if name.len() as f64 > widest => {
            name.get(..widest.max(0.0) as usize).unwrap_or_default().to_owned()
        }
        _ => name,
    })
}

/// D3133.
pub(super) fn no_name(component: char) -> crate::jsonata::error::Error {
    let component = Value::from(component.to_string());
    let words = format!(
        "The 'name' modifier can only be applied to months and days in the date/time picture \
         string, not {component}"
    );
    coded("D3133", &words)
}

/// XPath functions, section 9.8.4.6.
fn zone_text(marker: &Marker, zone: &Zone) -> Result<String> {
    let Some(integer) = &marker.integer else { return Err(no_property()) };
    let offset = zone.hours * 100.0 + zone.minutes;
    if offset == 0.0 && marker.is_traditional {
        zone_digits(integer, zone, offset)?;
        return Ok("Z".to_owned());
    }
    let digits = zone_digits(integer, zone, offset)?;
    let name = if marker.component == 'z' { "GMT" } else { "" };
    let sign = if offset >= 0.0 { "+" } else { "" };
    Ok(format!("{name}{sign}{digits}"))
}

fn zone_digits(integer: &IntegerPicture, zone: &Zone, offset: f64) -> Result<String> {
    let Primary::Decimal(decimal) = &integer.primary else { return Err(no_zone()) };
    if matches!(decimal.grouping, Grouping::Regular(..)) {
        return integer_text(offset, integer);
    }
    match decimal.mandatory as u32 {
        1 | 2 => {
            let hours = integer_text(zone.hours, integer)?;
            if zone.minutes == 0.0 {
                return Ok(hours);
            }
            let minutes = integer_text(zone.minutes, &IntegerPicture::read("00")?)?;
            Ok(format!("{hours}:{minutes}"))
        }
        3 | 4 => integer_text(offset, integer),
        _ => Err(no_zone()),
    }
}

/// D3134.
fn no_zone() -> crate::jsonata::error::Error {
    coded("D3134", "The timezone integer format specifier cannot have more than four digits")
}
