//! Whether a transfer is the cloud's to carry out, and what it is to be asked.

use std::collections::BTreeMap;

use offhook_config::dialplan::{Route, is_e164};
use offhook_config::{Cloud, Fact};

use super::identity::{self, Caller, Source};
use super::leg::{Leg, LegId, Party};
use super::{Call, CloudOrigin};
use crate::cloud::{CloudCall, CloudOrder};
use crate::failure::{self, Failure};
use crate::office::route::{behind_code, may_call_out};

/// Dialled for Connect, and said to the application for it.
const CONNECT: &str = "connect";

/// Who carries a transfer out.
pub(super) enum Homeward {
    /// The office, as ever.
    NotOurs,
    /// The office, to this number.
    Here(String),
    /// Nobody.
    Refused {
        failure: &'static Failure,
        words: &'static str,
        /// For the timeline, where the words say too little.
        detail: Option<&'static str>,
    },
    /// The cloud.
    Cloud(Box<Asked>),
}

/// What the cloud is asked.
pub(super) struct Asked {
    /// What the office calls when it is no call of the cloud after all; empty: nothing.
    pub(super) number: String,
    pub(super) way: Way,
    /// `None`: nothing has to be asked first.
    pub(super) order: Option<CloudOrder>,
}

/// How the caller goes.
pub(super) enum Way {
    /// The SIP media application moves him.
    Application { target: String },
    /// We hang up, and Connect's flow goes on.
    Connect { target: String },
}

impl Way {
    /// For the record.
    pub(super) fn destination(&self) -> String {
        match self {
            Self::Application { target } => format!("cloud:{target}"),
            Self::Connect { target } if target.is_empty() => "cloud:connect".to_owned(),
            Self::Connect { target } => format!("cloud:connect {target}"),
        }
    }
}

/// Where the phone sends the caller.
enum Wish {
    Connect,
    Number(String),
}

impl Call {
    /// Whether a leg's party may be in the cloud at all.
    pub(super) fn may_be_clouds(&self, id: LegId) -> bool {
        let trunk = self.leg_ref(id).filter(|leg| matches!(leg.party, Party::Trunk(_)));
        self.config().cloud.transfers
            && self.services.cloud.is_some()
            && trunk.and_then(Leg::tag).is_some()
            && (self.identity_of(id).cloud.is_some() || self.pair_of(id).is_some())
    }

    /// Decides about a transfer of `remaining` by an extension.
    pub(super) fn homeward(&self, remaining: LegId, extension: &str, dialled: &str) -> Homeward {
        let config = self.config();
        if !config.cloud.transfers || self.services.cloud.is_none() {
            return Homeward::NotOurs;
        }
        let by_code = behind_code(config, &*self.services.phonebook, dialled);
        let number = by_code.unwrap_or(dialled);
        let wish = match (self.wish(extension, number, by_code.is_some()), by_code) {
            (Ok(Some(wish)), _) => wish,
            // An emergency call, one of our own numbers: no business of the cloud's.
            (Ok(None), Some(_)) => return Homeward::Here(number.to_owned()),
            (Ok(None), None) => return Homeward::NotOurs,
            (Err(failure), Some(_)) if self.may_be_clouds(remaining) => {
                let words = "This phone may not call there";
                return Homeward::Refused { failure, words, detail: None };
            }
            (Err(_), Some(_)) => return Homeward::Here(number.to_owned()),
            // The office says it in its own way.
            (Err(_), None) => return Homeward::NotOurs,
        };
        let caller = self.identity_of(remaining);
        let asked = self.may_be_clouds(remaining).then(|| {
            let facts = (extension, number, &caller);
            self.way_home(remaining, &caller.cloud.clone().unwrap_or_default(), &wish, facts)
        });
        match (asked.flatten(), wish, by_code) {
            (Some(asked), ..) => asked,
            (None, Wish::Connect, _) if by_code.is_some() => Homeward::Refused {
                failure: failure::CLOUD_CALL_GONE,
                words: "This call is not in the cloud",
                detail: None,
            },
            (None, _, Some(_)) => Homeward::Here(number.to_owned()),
            (None, _, None) => Homeward::NotOurs,
        }
    }

    /// `None`: it is a number of the office, or of somebody who helps.
    fn wish(
        &self,
        extension: &str,
        number: &str,
        by_code: bool,
    ) -> Result<Option<Wish>, &'static Failure> {
        let config = self.config();
        let phonebook = &self.services.phonebook;
        if by_code && (number.is_empty() || number.eq_ignore_ascii_case(CONNECT)) {
            return Ok(Some(Wish::Connect));
        }
        let origin = offhook_config::Origin::Phone;
        match config.route(origin, number, |n| phonebook.account(n).is_some()) {
            Route::Outside(number) if !is_e164(&number) => Ok(None),
            // Both are ways out of the office.
            Route::Outside(_) if !may_call_out(config, extension) => Err(failure::NOT_ALLOWED),
            Route::Outside(number) if config.dnis.connect_numbers.contains(&number) => {
                Ok(Some(Wish::Connect))
            }
            Route::Outside(number) => Ok(Some(Wish::Number(number))),
            _ => Ok(None),
        }
    }

    /// `None`: this origin has no way to go there.
    fn way_home(
        &self,
        remaining: LegId,
        origin: &CloudOrigin,
        wish: &Wish,
        facts: (&str, &str, &Caller),
    ) -> Option<Homeward> {
        let (_, number, _) = facts;
        let target = match wish {
            Wish::Connect => CONNECT.to_owned(),
            Wish::Number(number) => number.clone(),
        };
        // Connect is not the office's to be called by a hairpin.
        let instead = match wish {
            Wish::Connect => String::new(),
            Wish::Number(_) => number.to_owned(),
        };
        if let Some(call) = self.cloud_call(remaining, origin) {
            let order = Some(CloudOrder::Update { call, target: target.clone() });
            let way = Way::Application { target };
            return Some(Homeward::Cloud(Box::new(Asked { number: instead, way, order })));
        }
        if origin.contact_id.is_none() {
            // Its transaction is known, and nobody whom to tell.
            return origin.transaction_id.is_some().then_some(Homeward::Refused {
                failure: failure::CLOUD_REFUSED,
                words: "No sip_media_application_id is known",
                detail: Some("the call names no application: set [cloud] sip_media_application_id"),
            });
        }
        let target = match wish {
            Wish::Connect => String::new(),
            // Nobody would tell the flow.
            Wish::Number(_) if !self.config().cloud.tells_target() => return None,
            Wish::Number(number) => number.clone(),
        };
        Some(self.released(origin, target, instead, facts))
    }

    /// The call as the SIP media application has it.
    fn cloud_call(&self, remaining: LegId, origin: &CloudOrigin) -> Option<CloudCall> {
        let usual = self.config().cloud.application.clone();
        if let Some(transaction) = origin.transaction_id.clone() {
            let application = origin.sip_media_application_id.clone().or(usual)?;
            return Some(CloudCall::Named { application, transaction });
        }
        if origin.contact_id.is_some() {
            return None;
        }
        let (ours, theirs) = self.pair_of(remaining)?;
        Some(CloudCall::Pair { ours, theirs, application: usual })
    }

    /// The pair of numbers that a call came over, when they are of `[dnis]`: another box or
    /// function that shares the pairs may have leased it.
    fn pair_of(&self, id: LegId) -> Option<(String, String)> {
        let caller = self.identity_of(id);
        let config = self.config();
        let Source::Trunk(trunk) = &caller.source else { return None };
        if !config.believes_cloud(trunk) || config.dnis.our_numbers.is_empty() {
            return None;
        }
        let ours = identity::recorded_number(config, &caller.number);
        let theirs = identity::recorded_number(config, &self.record.to);
        let pair = config.dnis.our_numbers.contains(&ours)
            && config.dnis.connect_numbers.contains(&theirs);
        pair.then_some((ours, theirs))
    }

    /// Connect's flow goes on, with what it is told.
    fn released(
        &self,
        origin: &CloudOrigin,
        target: String,
        number: String,
        (extension, _, caller): (&str, &str, &Caller),
    ) -> Homeward {
        let cloud = &self.config().cloud;
        let attributes = filled(cloud, |fact| match fact {
            Fact::Extension => extension.to_owned(),
            Fact::Target => target.clone(),
            Fact::Caller => caller.original.clone().unwrap_or_else(|| caller.number.clone()),
            Fact::Call => self.record.id.clone(),
        });
        let way = Way::Connect { target: target.clone() };
        // Attributes are the whole chain's, which is named by its first contact.
        let contact = origin.initial_contact_id.clone().or_else(|| origin.contact_id.clone());
        let contact = contact.unwrap_or_default();
        let named = origin.instance_id().zip(origin.instance_region());
        let order = match named {
            _ if attributes.is_empty() => None,
            Some((instance, region)) => Some(CloudOrder::Attributes {
                instance: instance.to_owned(),
                region: region.to_owned(),
                contact,
                attributes,
            }),
            None if !cloud.attributes_required => None,
            None => {
                let words = "Connect did not say which instance has the call";
                let failure = failure::CLOUD_REFUSED;
                return Homeward::Refused { failure, words, detail: None };
            }
        };
        Homeward::Cloud(Box::new(Asked { number, way, order }))
    }
}

fn filled(cloud: &Cloud, fact: impl Fn(Fact) -> String) -> BTreeMap<String, String> {
    let fill =
        |(name, text): (&String, &offhook_config::AttributeText)| (name.clone(), text.fill(&fact));
    cloud.attributes.iter().map(fill).collect()
}
