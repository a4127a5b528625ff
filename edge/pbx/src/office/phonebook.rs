//! The phonebook over the registrar, the accounts and the trunks.

use std::sync::Arc;

use offhook_sip::flow::Flow;
use offhook_sip::message::Request;

use super::{Admission, Phonebook, Reachable};
use crate::keep::Extension;
use crate::registrar::{Authenticator, Registrar, Verdict};
use crate::stack::Target;
use crate::trunk::{CallSlot, TrunkTarget, Trunks};

/// Who is here, and who may call.
#[derive(Clone)]
pub struct Desk {
    /// Judges requests; knows the accounts.
    pub authenticator: Authenticator,
    /// Knows where phones are.
    pub registrar: Registrar,
    /// Knows the ways out.
    pub trunks: Trunks,
}

impl Phonebook for Desk {
    fn admit(&self, request: &Request, flow: &Flow) -> Admission {
        match self.authenticator.authenticate(request, flow) {
            Verdict::Extension(account) => Admission::Phone(account),
            Verdict::Trunk(trunk) => Admission::Trunk(trunk.name.clone()),
            Verdict::Challenge(response) | Verdict::Refuse(response) => Admission::Answer(response),
        }
    }

    fn account(&self, number: &str) -> Option<Arc<Extension>> {
        self.authenticator.directory().get(number)
    }

    fn contacts(&self, extension: &str) -> Vec<Reachable> {
        let contacts = self.registrar.lookup(extension).into_iter();
        let reachable = |contact: crate::registrar::Contact| Reachable {
            uri: contact.uri,
            flow: match contact.target {
                Target::Flow(flow) => flow,
                // Behind an edge proxy (Path): it is the one that registered.
                Target::Uri(_) | Target::Peers { .. } => contact.flow,
            },
            route: contact.route.iter().filter_map(|route| route.parse().ok()).collect(),
            ice: contact.ice,
        };
        contacts.map(reachable).collect()
    }

    fn ways_out(&self, number: &str, trunk: Option<&str>, emergency: bool) -> Vec<TrunkTarget> {
        if let Some(name) = trunk {
            return self.trunks.select_named(name, number).into_iter().collect();
        }
        let mut ways = self.trunks.select(number);
        if emergency {
            // Trunks that are not meant for calls out may still carry this one.
            for status in self.trunks.status() {
                if ways.iter().all(|way| way.trunk.name != status.name) {
                    ways.extend(self.trunks.select_named(&status.name, number));
                }
            }
        }
        ways
    }

    fn slot(&self, trunk: &str) -> Option<CallSlot> {
        self.trunks.get(trunk).map(|trunk| self.trunks.slot(&trunk))
    }
}
