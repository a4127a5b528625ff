//! ARNs and names of machines and executions.

/// Characters of a state machine's or an execution's name (API reference, `StartExecution`).
const NAME_CHARS: usize = 80;

/// Characters that a name has none of, besides white space and control characters.
pub const REFUSED: &str = "<>{}[]?*\"#%\\^|~`$&,;:/";

/// Where executions are said to be: in ARNs, and in the context object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// AWS region.
    pub region: String,
    /// AWS account: twelve digits.
    pub account: String,
}

impl Default for Place {
    fn default() -> Self {
        Self { region: "us-east-1".to_owned(), account: "000000000000".to_owned() }
    }
}

impl Place {
    /// `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`.
    pub fn machine(&self, name: &str) -> String {
        format!("arn:aws:states:{}:{}:stateMachine:{name}", self.region, self.account)
    }

    /// `arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME`.
    pub fn execution(&self, machine: &str, name: &str) -> String {
        format!("arn:aws:states:{}:{}:execution:{machine}:{name}", self.region, self.account)
    }

    /// The role that executions are said to run with.
    pub fn role(&self) -> String {
        format!("arn:aws:iam::{}:role/offhook", self.account)
    }

    /// The address of a queue.
    pub fn queue(&self, name: &str) -> String {
        format!("https://sqs.{}.amazonaws.com/{}/{name}", self.region, self.account)
    }
}

/// A machine, and which version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineRef {
    /// The machine's name.
    pub name: String,
    /// Version number or alias; none: the latest version.
    pub qualifier: Option<String>,
}

impl MachineRef {
    /// Reads `NAME`, `NAME:QUALIFIER`, or an ARN of either form.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = match text.strip_prefix("arn:") {
            Some(arn) => arn.splitn(6, ':').nth(5)?,
            None => text,
        };
        let rest = rest.strip_prefix("stateMachine:").unwrap_or(rest);
        let (name, qualifier) = match rest.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (rest, None),
        };
        let fine = is_name(name) && qualifier.is_none_or(is_name);
        fine.then(|| Self { name: name.to_owned(), qualifier: qualifier.map(str::to_owned) })
    }

    /// The latest version of it.
    pub fn latest(name: impl Into<String>) -> Self {
        Self { name: name.into(), qualifier: None }
    }
}

impl std::fmt::Display for MachineRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.qualifier.as_ref().map_or(Ok(()), |qualifier| write!(f, ":{qualifier}"))
    }
}

/// In hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// Whether it may be the name of a machine or an execution (API reference, `StartExecution`:
/// no white space, brackets, wildcards and special characters).
pub fn is_name(name: &str) -> bool {
    let fits = (1..=NAME_CHARS).contains(&name.chars().count());
    fits && !name.chars().any(|c| c.is_control() || c.is_whitespace() || REFUSED.contains(c))
}
