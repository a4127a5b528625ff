//! Which workflows of a configuration are published: what `offhook check` and the journal say of
//! those that are not.

use offhook_config::{Config, Target};
use offhook_flows::MachineRef;
use offhook_flows::store::StoreError;
use offhook_flows::versions::Versions;

use super::shipped;
use crate::take_back::pairs;

/// What the target `flow:NAME` means. The `:` of a version is written `@` there as well.
pub(super) fn machine_of(name: &str) -> Option<MachineRef> {
    MachineRef::parse(&name.replace('@', ":"))
}

/// A line for each workflow that a number leads to and that is not published.
///
/// # Errors
/// The store could not be read.
pub async fn missing(config: &Config, versions: &Versions) -> Result<Vec<String>, StoreError> {
    let mut lines: Vec<String> = Vec::new();
    for number in &config.numbers {
        let Target::Flow(name) = &number.to else { continue };
        if !is_there(config, versions, name).await? {
            lines.push(format!(
                "{} leads to flow:{name}, which is not published: its calls end with 480 \
                 (`offhook flow list` shows those that are)",
                number.pattern
            ));
        }
    }
    Ok(lines)
}

/// Whether calls find a workflow at `flow:NAME`.
///
/// # Errors
/// The store could not be read.
pub(super) async fn is_there(
    config: &Config,
    versions: &Versions,
    name: &str,
) -> Result<bool, StoreError> {
    match machine_of(name) {
        // Not a workflow, when [take_back] or [dnis] is configured.
        _ if name == pairs::FLOW && config.has_take_back() => Ok(true),
        None => Ok(false),
        Some(machine) if machine.qualifier.is_none() && shipped::is_shipped(&machine.name) => {
            Ok(true)
        }
        Some(machine) => versions.has(&machine).await,
    }
}
