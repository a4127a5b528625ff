//! The walls between the rooms, as `docs/decisions/0001-rooms-and-walls.md` draws them. A new
//! arrow in the crate graph fails here, until the table below says it and a decision says why.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Every crate of ours and the crates of ours that it may use in the product (tests excepted).
const ARROWS: &[(&str, &[&str])] = &[
    ("offhook-asl", &[]),
    ("offhook-sma", &[]),
    ("offhook-sip", &[]),
    ("offhook-media", &[]),
    ("offhook-config", &[]),
    ("offhook-dnis", &[]),
    ("offhook-pbx", &["offhook-sip", "offhook-media", "offhook-sma", "offhook-config"]),
    ("offhook-flows", &["offhook-asl", "offhook-sma"]),
    ("offhook-store", &["offhook-dnis", "offhook-pbx", "offhook-flows"]),
    ("offhook-postgres", &["offhook-dnis"]),
    ("offhook-chime", &["offhook-dnis", "offhook-sma"]),
    (
        "offhook",
        &[
            "offhook-asl",
            "offhook-chime",
            "offhook-config",
            "offhook-dnis",
            "offhook-flows",
            "offhook-media",
            "offhook-pbx",
            "offhook-postgres",
            "offhook-sip",
            "offhook-sma",
            "offhook-store",
        ],
    ),
    (
        "offhook-bench",
        &[
            "offhook-asl",
            "offhook-chime",
            "offhook-dnis",
            "offhook-flows",
            "offhook-media",
            "offhook-postgres",
            "offhook-sip",
            "offhook-store",
        ],
    ),
    // Tests may look into every room; the simulated office is built of these.
    (
        "offhook-tests",
        &[
            "offhook-chime",
            "offhook-config",
            "offhook-dnis",
            "offhook-media",
            "offhook-pbx",
            "offhook-sip",
            "offhook-sma",
        ],
    ),
];

/// Libraries that a room must not know, because its law forbids what they are for.
const STRANGERS: &[(&str, &[&str])] = &[
    // Sans-IO: no socket, no clock, no task.
    ("offhook-sip", &["tokio", "mio", "socket2", "rustix", "tracing"]),
    ("offhook-asl", &["tokio", "mio", "socket2", "rustix", "reqwest"]),
    ("offhook-dnis", &["tokio", "rusqlite", "hyper", "reqwest"]),
    ("offhook-sma", &["tokio", "mio", "socket2", "rustix", "reqwest"]),
    ("offhook-config", &["tokio", "mio", "socket2"]),
    // No SQL, no HTTP, no AWS in the heart.
    ("offhook-pbx", &["rusqlite", "tokio-postgres", "axum", "hyper", "reqwest", "aws-config"]),
    ("offhook-media", &["rusqlite", "axum", "hyper", "reqwest", "aws-config"]),
];

fn normal_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut graph = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("name").to_owned();
        let dependencies = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            // `kind` is null for what the product links; "dev" is for tests alone.
            .filter(|d| d["kind"].is_null() || d["kind"] == "build")
            .map(|d| d["name"].as_str().expect("name").to_owned())
            .collect();
        graph.insert(name, dependencies);
    }
    graph
}

#[test]
fn a_crate_uses_only_the_rooms_below_it() {
    let allowed: BTreeMap<_, BTreeSet<_>> =
        ARROWS.iter().map(|(n, d)| (*n, d.iter().copied().collect())).collect();
    let graph = normal_dependencies();
    assert!(graph.len() >= 8, "the workspace was not found: {graph:?}");
    for (name, dependencies) in &graph {
        let Some(allowed) = allowed.get(name.as_str()) else {
            panic!("{name} is a new room: draw its arrows in tests/tests/walls.rs");
        };
        for dependency in dependencies.iter().filter(|d| graph.contains_key(*d)) {
            assert!(
                allowed.contains(dependency.as_str()),
                "a new arrow {name} -> {dependency}: the walls forbid it"
            );
        }
    }
}

#[test]
fn a_room_does_not_know_the_libraries_that_its_law_forbids() {
    let graph = normal_dependencies();
    for (name, strangers) in STRANGERS {
        let Some(dependencies) = graph.get(*name) else { continue };
        for stranger in *strangers {
            assert!(!dependencies.contains(*stranger), "{name} must not use {stranger}");
        }
    }
}
