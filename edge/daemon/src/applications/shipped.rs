//! Workflows that come with the program.

use offhook_flows::store::MachineType;
use offhook_flows::versions::{VersionError, Versions};

/// Name and definition of each.
const WORKFLOWS: [(&str, &str); 1] =
    [("business-number", include_str!("../../../../flows/workflows/business-number.asl.json"))];
/// How the description of a version begins that the program published itself.
const OURS: &str = "came with Offhook";

/// Whether the program publishes one of this name at its start.
pub(super) fn is_shipped(name: &str) -> bool {
    WORKFLOWS.iter().any(|(shipped, _)| *shipped == name)
}

/// Publishes those that are new. Where the operator has published a version of his own since, his
/// stays the latest.
///
/// # Errors
/// The store could not be read or written.
pub(super) async fn publish(versions: &Versions) -> Result<(), VersionError> {
    for (name, definition) in WORKFLOWS {
        let latest = versions.list(Some(name)).await?.into_iter().next();
        if latest.is_none_or(|latest| latest.description.starts_with(OURS)) {
            let description = format!("{OURS} {}", env!("CARGO_PKG_VERSION"));
            versions.publish(name, definition, MachineType::Standard, &description).await?;
        }
    }
    Ok(())
}
