//! A phone forwards its calls (3xx): followed within the office, and outside where the phone itself
//! may call. Its redirect counts as that extension dialling.

use std::time::Instant;

use offhook_config::Origin;
use offhook_config::dialplan::Route;
use offhook_sip::header::{Contact, NameAddr};
use offhook_sip::message::Response;
use offhook_sip::uri::Host;
use offhook_sip::uri::Uri;
use offhook_sma::action::LegTag;

use super::Call;
use super::best::Outcome;
use super::bridge::Forward;
use super::identity;
use super::leg::{LegId, Party, Way};
use crate::failure;
use crate::office::route::may_call_out;

/// Redirections followed in one call.
const MAX_REDIRECTS: usize = 5;
/// Contacts of one redirection that are looked at.
const MAX_CONTACTS: usize = 8;

fn refused(detail: String) -> Outcome {
    Outcome::of(failure::REDIRECT_REFUSED, detail)
}

impl Call {
    /// Follows a phone's 3xx: its best Contacts at once, the others when nobody there answers
    /// (RFC 3261 §8.1.3.4, §20.10: by `q`).
    pub(super) fn follow(
        &mut self,
        now: Instant,
        id: LegId,
        response: &Response,
    ) -> Result<(), Outcome> {
        let Some(Party::Phone(phone)) = self.leg_ref(id).map(|leg| leg.party.clone()) else {
            return Err(refused(String::new()));
        };
        let mut targets = targets(response, |uri| self.dialled(uri));
        if targets.is_empty() {
            return Err(refused(format!("{phone} forwards without a number")));
        }
        let best = targets.first().map_or(1000, |(q, _)| *q);
        let diverted = self.diverted_by(id, &phone);
        let Some(bridging) = &mut self.bridging else { return Err(refused(phone)) };
        bridging.redirects += 1;
        if bridging.redirects > MAX_REDIRECTS {
            return Err(refused(format!("{phone} forwards once too often")));
        }
        let later = targets.split_off(targets.iter().take_while(|(q, _)| *q == best).count());
        let forward = |(_, number): (u32, String)| Forward {
            phone: phone.clone(),
            number,
            diverted: diverted.clone(),
        };
        // The next one last.
        let waiting = later.into_iter().rev().map(forward);
        let before = std::mem::take(&mut bridging.later);
        bridging.later = waiting.chain(before).collect();
        let mut last = None;
        let mut rang = false;
        for target in targets {
            match self.forward(now, forward(target)) {
                Ok(()) => rang = true,
                Err(outcome) => last = Some(outcome),
            }
        }
        match last {
            Some(outcome) if !rang => Err(outcome),
            _ => Ok(()),
        }
    }

    /// Tries what phones forward to with less preference; `false`: there is nothing (left).
    pub(super) fn try_later_forward(&mut self, now: Instant) -> bool {
        let Some(next) = self.bridging.as_mut().and_then(|b| b.later.pop()) else { return false };
        if let Err(outcome) = self.forward(now, next) {
            self.missed(now, outcome);
        }
        true
    }

    fn forward(&mut self, now: Instant, forward: Forward) -> Result<(), Outcome> {
        let Forward { phone, number, diverted } = forward;
        let circle = refused(format!("{phone} forwards in circles to {number}"));
        if !self.visit(format!("to:{number}")) {
            return Err(circle);
        }
        self.timeline.note(now, None, format!("{phone} forwards the call to {number}"));
        let config = std::sync::Arc::clone(&self.settings.config);
        let phonebook = std::sync::Arc::clone(&self.services.phonebook);
        let route = config.route(Origin::Phone, &number, |n| phonebook.account(n).is_some());
        match route {
            Route::To(offhook_config::Target::Extension(to)) if self.was_called(&to) => {
                return Err(circle);
            }
            Route::To(offhook_config::Target::Group(name))
                if config
                    .group(&name)
                    .is_some_and(|g| g.members.iter().all(|m| self.was_called(m))) =>
            {
                return Err(circle);
            }
            Route::To(offhook_config::Target::Extension(to)) => {
                self.call_extension(now, &to, &diverted);
            }
            Route::To(offhook_config::Target::Group(name)) => {
                self.call_group(now, &name, &diverted);
            }
            Route::Outside(to) if may_call_out(&config, &phone) => {
                self.call_out(now, &to, None, &diverted);
            }
            _ => return Err(refused(format!("{phone} may not forward to {number}"))),
        }
        Ok(())
    }

    fn was_called(&self, extension: &str) -> bool {
        let party = format!("extension:{extension}");
        self.bridging.as_ref().is_some_and(|b| b.visited.contains(&party))
    }

    /// Who sent the call on (RFC 5806), the last one first.
    fn diverted_by(&mut self, id: LegId, phone: &str) -> Vec<String> {
        let host = match self.tagged(LegTag::A).map(|leg| leg.way) {
            Some(Way::Flow(flow) | Way::ByUri { seen: Some(flow) }) => {
                identity::our_host(self.config(), &self.services.sip.local_contact(&flow))
            }
            _ => Host::Name("invalid".into()),
        };
        let diversion = NameAddr::new(identity::address(phone, &host))
            .with_param("reason", Some("unconditional"));
        let branches = self.bridging.iter().flat_map(|b| b.branches.iter());
        let before = branches.filter(|b| b.leg == id).flat_map(|b| b.diverted.iter().cloned());
        std::iter::once(diversion.to_string()).chain(before).collect()
    }
}

/// Numbers with their preference in thousandths, the best first; equals in the order written.
fn targets(response: &Response, dialled: impl Fn(&Uri) -> String) -> Vec<(u32, String)> {
    let contacts: Vec<Contact> = response.headers.typed_list().unwrap_or_default();
    let target = |contact: &Contact| {
        let addr = contact.addr()?;
        let number = dialled(&addr.uri);
        let q = addr.params.value("q").and_then(|q| q.trim().parse::<f32>().ok()).unwrap_or(1.0);
        let q = (q.clamp(0.0, 1.0) * 1000.0) as u32;
        (!number.is_empty() && identity::is_plain(&number)).then_some((q, number))
    };
    let mut targets: Vec<_> = contacts.iter().filter_map(target).take(MAX_CONTACTS).collect();
    targets.sort_by_key(|(q, _)| std::cmp::Reverse(*q));
    targets
}
