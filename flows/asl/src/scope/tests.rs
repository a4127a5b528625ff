use super::*;
use serde_json::json;

#[test]
fn an_inner_scope_reads_outer_variables_and_leaves_them_as_they_are() {
    let mut outer = Variables::new();
    outer.assign("a", json!(1));
    let mut inner = outer.inner();
    inner.assign("b", json!(2));
    assert_eq!(inner.get("a"), Some(&json!(1)));
    assert_eq!(outer.get("b"), None);
    assert_eq!(inner.own().map(|(name, _)| name).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn variables_survive_being_written_and_read() {
    let mut outer = Variables::new();
    outer.assign("a", json!({"x": [1, null]}));
    let mut inner = outer.inner();
    inner.assign("b", json!("two"));
    let text = serde_json::to_string(&inner).unwrap();
    assert_eq!(serde_json::from_str::<Variables>(&text).unwrap(), inner);
}

#[test]
fn entropy_goes_on_where_a_snapshot_stopped() {
    let first = Entropy::new(7);
    first.bits();
    let text = serde_json::to_string(&first).unwrap();
    let restored: Entropy = serde_json::from_str(&text).unwrap();
    assert_eq!(first.uuid(), restored.uuid());
    assert_ne!(first.bits(), Entropy::new(8).bits());
}

#[test]
fn a_uuid_is_of_version_4() {
    let uuid = Entropy::new(1).uuid();
    assert_eq!(uuid.len(), 36);
    assert_eq!(uuid.as_bytes()[14], b'4');
    assert!("89ab".contains(char::from(uuid.as_bytes()[19])));
}
