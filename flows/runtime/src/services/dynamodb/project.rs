//! `ProjectionExpression`: parts of an item.

use super::parser::Parser;
use super::path::{Path, Step};
use super::placeholders::Placeholders;
use super::value::{Item, Value};

/// Reads the paths of a projection.
pub(super) fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Vec<Path>, String> {
    let mut parser = Parser::new(source, placeholders)?;
    let mut paths: Vec<Path> = vec![parser.path()?];
    while parser.take_sign(",") {
        paths.push(parser.path()?);
    }
    parser.expect_end()?;
    check_overlap(&paths)?;
    Ok(paths)
}

/// Refuses paths of which one leads through another.
pub(super) fn check_overlap(paths: &[Path]) -> Result<(), String> {
    for (at, one) in paths.iter().enumerate() {
        for two in &paths[at + 1..] {
            let problem = match (one.overlaps(two), one.conflicts(two)) {
                (true, _) => "overlap",
                (_, true) => "conflict",
                _ => continue,
            };
            return Err(format!(
                "Two document paths {problem} with each other; must remove or rewrite one of these paths; path one: {one}, path two: {two}"
            ));
        }
    }
    Ok(())
}

/// What of an item stands at the paths, each in its place; elements of a list close up.
pub(super) fn project(item: &Item, paths: &[Path]) -> Item {
    let whole: Vec<(&str, Vec<&[Step]>)> = by_root(paths);
    let chosen = item.iter().filter_map(|(name, value)| {
        let (_, steps) = whole.iter().find(|(root, _)| root == name)?;
        Some((name.clone(), part(value, steps)?))
    });
    chosen.collect()
}

fn by_root(paths: &[Path]) -> Vec<(&str, Vec<&[Step]>)> {
    let mut roots: Vec<(&str, Vec<&[Step]>)> = Vec::new();
    for path in paths {
        match roots.iter_mut().find(|(root, _)| *root == path.root) {
            Some((_, steps)) => steps.push(&path.steps),
            None => roots.push((&path.root, vec![&path.steps])),
        }
    }
    roots
}

/// The part of a value that `ways` lead to.
fn part(value: &Value, ways: &[&[Step]]) -> Option<Value> {
    if ways.iter().any(|way| way.is_empty()) {
        return Some(value.clone());
    }
    let through = |step: &Step| {
        let ways = ways.iter().filter(|way| way.first() == Some(step)).map(|way| &way[1..]);
        ways.collect::<Vec<_>>()
    };
    match value {
        Value::M(map) => {
            let members = map.iter().filter_map(|(name, member)| {
                let ways = through(&Step::Name(name.clone()));
                let member = if ways.is_empty() { None } else { part(member, &ways) };
                Some((name.clone(), member?))
            });
            let members: Item = members.collect();
            (!members.is_empty()).then_some(Value::M(members))
        }
        Value::L(list) => {
            let elements = list.iter().enumerate().filter_map(|(index, element)| {
                let ways = through(&Step::Index(index));
                if ways.is_empty() { None } else { part(element, &ways) }
            });
            let elements: Vec<Value> = elements.collect();
            (!elements.is_empty()).then_some(Value::L(elements))
        }
        _ => None,
    }
}
