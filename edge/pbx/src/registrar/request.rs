//! Reads what a REGISTER asks for (RFC 3261 §10.3 steps 5 to 7).

use std::time::{Duration, SystemTime};

use offhook_sip::flow::Flow;
use offhook_sip::header::{Contact, Expires, HeaderName, NameAddr, Path, Require};
use offhook_sip::message::{Request, Response, StatusCode};
use offhook_sip::uri::{SipUri, Uri};

use super::bindings::{Table, Wish, is_inside};
use super::config::RegistrarConfig;
use crate::keep::{Binding, BindingChange};

/// Contacts in one request, at most.
const MAX_IN_REQUEST: usize = 16;
/// Proxies on the way to a phone, at most.
const MAX_PATH: usize = 8;
/// Octets of a contact, a Path value or a User-Agent that are kept.
const MAX_TEXT: usize = 512;

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// Which contacts are there (§10.2.3).
    Query,
    /// Remove all (§10.2.2).
    RemoveAll,
    /// Add, refresh or remove these; a zero duration removes.
    Change(Vec<(ContactAsked, Duration)>),
}

/// One contact asked for.
#[derive(Debug)]
pub(super) struct ContactAsked {
    pub(super) uri: Uri,
    pub(super) instance: Option<String>,
    /// `+sip.ice` (RFC 5768 §5).
    pub(super) ice: bool,
}

/// All that matters of a REGISTER.
#[derive(Debug)]
pub(super) struct Register {
    pub(super) aor: String,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) asked: Asked,
    pub(super) path: Vec<String>,
    pub(super) user_agent: Option<String>,
}

impl Register {
    /// Applies what is asked for; `None`: out of order, nothing was changed.
    pub(super) fn apply(
        &self,
        table: &mut Table,
        flow: &Flow,
        max: usize,
    ) -> Option<Vec<BindingChange>> {
        let Self { aor, call_id, cseq, .. } = self;
        let wishes: Vec<_> = match &self.asked {
            Asked::Query => return Some(Vec::new()),
            Asked::RemoveAll => {
                let late = table.any_later(aor, call_id, *cseq);
                return (!late).then(|| table.remove_all(aor));
            }
            Asked::Change(list) => list
                .iter()
                .map(|(asked, lasts)| Wish {
                    uri: asked.uri.clone(),
                    instance: asked.instance.clone(),
                    ice: asked.ice,
                    lasts: *lasts,
                })
                .collect(),
        };
        table.check_order(aor, call_id, *cseq, &wishes).ok()?;
        let template = Binding {
            aor: aor.clone(),
            contact: String::new(),
            call_id: call_id.clone(),
            cseq: *cseq,
            expires: SystemTime::now(),
            transport: flow.transport,
            received: flow.remote,
            local: flow.local,
            user_agent: self.user_agent.clone(),
            path: self.path.clone(),
            instance: None,
            ice: false,
        };
        Some(wishes.into_iter().flat_map(|wish| table.apply(&template, wish, flow, max)).collect())
    }
}

/// Reads it, or says what to answer.
pub(super) fn read(request: &Request, config: &RegistrarConfig) -> Result<Register, Box<Response>> {
    let answer = |status| Box::new(Response::to_request(request, status, None));
    let bad = || answer(StatusCode::BAD_REQUEST);
    check_required(request)?;
    let to = request.to().map_err(|_| bad())?;
    let aor = to.0.uri.user_decoded().ok_or_else(|| answer(StatusCode::NOT_FOUND))?.into_owned();
    let call_id = request.call_id().ok_or_else(bad)?.into_owned();
    let cseq = request.cseq().map_err(|_| bad())?.seq;
    let contacts = request.headers.typed_list::<Contact>().map_err(|_| bad())?;
    let header = request.headers.typed::<Expires>().map_err(|_| bad())?.map(|e| e.0);
    let paths = request.headers.typed_list::<Path>().map_err(|_| bad())?;
    if contacts.len() > MAX_IN_REQUEST || paths.len() > MAX_PATH {
        return Err(answer(StatusCode::REQUEST_ENTITY_TOO_LARGE));
    }
    let path: Vec<String> = paths.iter().map(ToString::to_string).collect();
    if path.iter().any(|value| value.len() > MAX_TEXT) {
        return Err(answer(StatusCode::REQUEST_ENTITY_TOO_LARGE));
    }
    let asked = asked(request, config, &contacts, header)?;
    let agent = request.headers.text(&HeaderName::UserAgent);
    Ok(Register {
        aor,
        call_id,
        cseq,
        asked,
        path,
        user_agent: agent.map(|a| a.chars().take(128).collect()),
    })
}

/// What stands first in the Path is where calls go (RFC 3327 §5.1): a phone must not make us
/// connect to the services of this very machine, whatever its password allows otherwise.
pub(super) fn check_path(request: &Request, flow: &Flow) -> Result<(), Box<Response>> {
    let paths = request.headers.typed_list::<Path>().unwrap_or_default();
    let hosts = paths.iter().filter_map(|path| path.0.uri.as_sip()).map(SipUri::host);
    if hosts.into_iter().any(|host| is_inside(host, flow)) {
        let reason = Some("Path leads into this server");
        return Err(Box::new(Response::to_request(request, StatusCode::FORBIDDEN, reason)));
    }
    Ok(())
}

/// §10.3 step 2: an extension we do not have is refused by name.
fn check_required(request: &Request) -> Result<(), Box<Response>> {
    let Ok(Some(required)) = request.headers.typed::<Require>() else { return Ok(()) };
    let unknown: Vec<_> = required
        .iter()
        .filter(|t| !["path", "outbound", "gruu"].iter().any(|known| t.eq_ignore_ascii_case(known)))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let mut response = Response::to_request(request, StatusCode::BAD_EXTENSION, None);
    response.headers.set(HeaderName::Unsupported, unknown.join(", "));
    Err(Box::new(response))
}

fn asked(
    request: &Request,
    config: &RegistrarConfig,
    contacts: &[Contact],
    header: Option<u32>,
) -> Result<Asked, Box<Response>> {
    let answer = |status| Box::new(Response::to_request(request, status, None));
    if contacts.is_empty() {
        return Ok(Asked::Query);
    }
    if contacts.iter().any(|c| matches!(c, Contact::Star)) {
        // §10.3 step 6: the star stands alone and with Expires: 0.
        let right = contacts.len() == 1 && header == Some(0);
        return if right { Ok(Asked::RemoveAll) } else { Err(answer(StatusCode::BAD_REQUEST)) };
    }
    let mut changes = Vec::with_capacity(contacts.len());
    for contact in contacts {
        let Some(addr) = contact.addr() else { continue };
        if addr.uri.as_sip().is_none() || addr.uri.to_string().len() > MAX_TEXT {
            return Err(answer(StatusCode::BAD_REQUEST));
        }
        let wish = contact.expires().or(header);
        let wish = wish.map_or(config.default_expires, |s| Duration::from_secs(s.into()));
        // §10.3 step 7: too brief is refused, so that the phone knows.
        if !wish.is_zero() && wish < config.min_expires {
            let mut response = answer(StatusCode::INTERVAL_TOO_BRIEF);
            let least = config.min_expires.as_secs().to_string();
            response.headers.set(HeaderName::MinExpires, least);
            return Err(response);
        }
        let ice = addr.params.has("+sip.ice");
        let asked = ContactAsked { uri: addr.uri.clone(), instance: instance(addr), ice };
        changes.push((asked, wish.min(config.max_expires)));
    }
    Ok(Asked::Change(changes))
}

/// RFC 5626 §4.1: instance and reg-id together name a flow of one phone, whatever its contact.
fn instance(addr: &NameAddr) -> Option<String> {
    let id = addr.params.value("+sip.instance")?;
    let id = id.trim_matches('"');
    let reg = addr.params.value("reg-id")?;
    (id.len() + reg.len() < MAX_TEXT).then(|| format!("{id};reg-id={reg}"))
}
