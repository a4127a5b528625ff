//! Session timers (RFC 4028): agreeing on them as caller and callee, and when they are due.

use std::time::{Duration, Instant};

use super::config::{PreferRefresher, SessionConfig};
use super::wire;
use crate::header::{HeaderName, Headers, Refresher};

/// No session interval below this may be asked for or agreed (RFC 4028 §5).
const FLOOR: u32 = 90;
/// A peer that agrees on less than this is taken for this, so that refreshes cannot storm.
const SANITY: u32 = 10;

/// What a 2xx of ours will agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreement {
    interval: u32,
    we_refresh: bool,
    peer_knows: bool,
}

/// The peer asks for less than we accept; answer 422 with this Min-SE (§9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooSmall(pub(super) u32);

/// The timer of one session.
#[derive(Debug)]
pub(super) struct SessionTimer {
    min_se: u32,
    active: Option<Active>,
    /// When we shall refresh.
    pub(super) refresh_at: Option<Instant>,
    /// When the session is given up.
    pub(super) expire_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    interval: u32,
    we_refresh: bool,
}

impl SessionTimer {
    pub(super) fn new(config: &SessionConfig) -> Self {
        Self { min_se: config.min_se.max(FLOOR), active: None, refresh_at: None, expire_at: None }
    }

    /// Session-Expires and Min-SE of a request of ours (§7.1, §7.4).
    pub(super) fn ask(&self, config: &SessionConfig, headers: &mut Headers) {
        if !config.supports("timer") {
            return;
        }
        headers.remove(&HeaderName::SessionExpires);
        headers.remove(&HeaderName::MinSe);
        let wish = self.active.map(|a| a.interval).or(config.session_expires);
        if let Some(interval) = wish {
            let interval = interval.max(self.min_se);
            // §7.4: whoever refreshes goes on doing so; the roles are named from this request.
            let refresher = match (self.active, config.refresher) {
                (Some(Active { we_refresh: true, .. }), _) | (None, PreferRefresher::Us) => {
                    ";refresher=uac"
                }
                (Some(Active { we_refresh: false, .. }), _) => ";refresher=uas",
                // §7.1: without knowing that the peer can, the choice is left to it.
                (None, PreferRefresher::Peer) => "",
            };
            headers.push(HeaderName::SessionExpires, format!("{interval}{refresher}"));
        }
        // §7.1: Min-SE may be left out while it is the default.
        if self.min_se > FLOOR {
            headers.push(HeaderName::MinSe, self.min_se.to_string());
        }
    }

    /// A 422 to a request of ours; `false` when it names no higher minimum (§7.3).
    pub(super) fn raise(&mut self, response: &Headers) -> bool {
        match wire::number(response, &HeaderName::MinSe) {
            Some(min) if min > self.min_se || self.wish_below(min) => {
                self.min_se = self.min_se.max(min);
                true
            }
            _ => false,
        }
    }

    fn wish_below(&self, min: u32) -> bool {
        self.active.is_some_and(|a| a.interval < min)
    }

    /// A 2xx to a request of ours (§7.2): without Session-Expires there is no timer.
    pub(super) fn agreed(&mut self, now: Instant, response: &Headers) {
        // No session lasts no time: whoever writes 0 means none.
        let interval = wire::number(response, &HeaderName::SessionExpires).filter(|s| *s > 0);
        let Some(interval) = interval else {
            self.stop();
            return;
        };
        let we_refresh = refresher(response) != Some(Refresher::Uas);
        self.run(now, Active { interval: interval.max(SANITY), we_refresh });
    }

    /// A request of the peer that may carry Session-Expires: what our 2xx will say (§9, table 2).
    pub(super) fn consider(
        &self,
        config: &SessionConfig,
        request: &Headers,
    ) -> Result<Option<Agreement>, TooSmall> {
        if !config.supports("timer") {
            return Ok(None);
        }
        let peer_knows = wire::has_token(request, &HeaderName::Supported, "timer")
            || wire::has_token(request, &HeaderName::Require, "timer");
        let wanted = wire::number(request, &HeaderName::SessionExpires);
        let floor = config.min_se.max(FLOOR);
        // §9: a caller that does not know timers could not act on 422.
        if peer_knows && wanted.is_some_and(|w| w < floor) {
            return Err(TooSmall(floor));
        }
        let min = wire::number(request, &HeaderName::MinSe).unwrap_or(0).max(floor);
        let interval = match (wanted, config.session_expires) {
            // §9: it may be lowered down to Min-SE, never raised.
            (Some(wanted), Some(ours)) => wanted.min(ours.max(min)),
            (Some(wanted), None) => wanted,
            (None, Some(ours)) => ours.max(min),
            (None, None) => return Ok(None),
        };
        let we_refresh = match refresher(request) {
            _ if !peer_knows => true,
            Some(Refresher::Uac) => false,
            Some(Refresher::Uas) => true,
            None => match self.active {
                Some(active) => active.we_refresh,
                None => config.refresher == PreferRefresher::Us,
            },
        };
        Ok(Some(Agreement { interval: interval.max(SANITY), we_refresh, peer_knows }))
    }

    /// Our 2xx goes out: writes the agreement into it and starts the timer.
    pub(super) fn confirm(
        &mut self,
        now: Instant,
        agreement: Option<Agreement>,
        response: &mut Headers,
    ) {
        let Some(Agreement { interval, we_refresh, peer_knows }) = agreement else {
            self.stop();
            return;
        };
        let who = if we_refresh { "uas" } else { "uac" };
        response.push(HeaderName::SessionExpires, format!("{interval};refresher={who}"));
        if peer_knows {
            response.push(HeaderName::Require, "timer");
        }
        self.run(now, Active { interval, we_refresh });
    }

    /// No timer from now on.
    pub(super) fn stop(&mut self) {
        self.active = None;
        self.refresh_at = None;
        self.expire_at = None;
    }

    /// A refresh failed for now: try again, as long as the session lasts.
    pub(super) fn refresh_later(&mut self, at: Instant) {
        if self.active.is_some_and(|a| a.we_refresh) {
            self.refresh_at = Some(at);
        }
    }

    fn run(&mut self, now: Instant, active: Active) {
        let seconds = |s: u32| Duration::from_secs(u64::from(s));
        // §10: refresh at half of the interval; give up min(32, a third) before its end.
        self.refresh_at = active.we_refresh.then(|| now + seconds(active.interval / 2));
        let margin = 32.min(active.interval / 3);
        self.expire_at = Some(now + seconds(active.interval - margin));
        self.active = Some(active);
    }
}

/// The refresher that Session-Expires names. More forgiving than the typed header: what cannot be
/// read is as good as not said.
fn refresher(headers: &Headers) -> Option<Refresher> {
    let text = headers.text(&HeaderName::SessionExpires)?;
    text.split(';').skip(1).filter_map(|param| param.split_once('=')).find_map(|(name, value)| {
        if !name.trim().eq_ignore_ascii_case("refresher") {
            return None;
        }
        let value = value.trim().trim_matches('"');
        [Refresher::Uac, Refresher::Uas]
            .into_iter()
            .find(|who| value.eq_ignore_ascii_case(who.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(expires: Option<u32>) -> SessionConfig {
        SessionConfig { session_expires: expires, ..SessionConfig::default() }
    }

    fn headers(fields: &[(HeaderName, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(name.clone(), *value);
        }
        headers
    }

    #[test]
    fn the_callee_follows_table_2_of_rfc_4028() {
        // (caller knows timers, refresher asked for, who refreshes: us?)
        let table = [
            (true, Some("\"UAC\""), false),
            (true, Some("proxy"), true),
            (false, None, true),
            (true, None, true),
            (true, Some("uac"), false),
            (true, Some("uas"), true),
        ];
        for (knows, asked, us) in table {
            let config = config(Some(1800));
            let value = asked.map_or("600".to_owned(), |r| format!("600;refresher={r}"));
            let mut request = headers(&[(HeaderName::SessionExpires, &value)]);
            if knows {
                request.push(HeaderName::Supported, "timer");
            }
            let got = SessionTimer::new(&config).consider(&config, &request).unwrap().unwrap();
            assert_eq!(got, Agreement { interval: 600, we_refresh: us, peer_knows: knows });
        }
    }

    #[test]
    fn an_interval_below_our_minimum_is_refused_only_when_the_caller_understands() {
        let config = SessionConfig { min_se: 300, ..config(None) };
        let timer = SessionTimer::new(&config);
        let knows =
            headers(&[(HeaderName::SessionExpires, "200"), (HeaderName::Supported, "timer")]);
        assert_eq!(timer.consider(&config, &knows), Err(TooSmall(300)));
        let not = headers(&[(HeaderName::SessionExpires, "200")]);
        assert_eq!(timer.consider(&config, &not).unwrap().unwrap().interval, 200);
    }

    #[test]
    fn the_interval_is_lowered_to_ours_but_not_below_the_callers_minimum() {
        let config = config(Some(600));
        let timer = SessionTimer::new(&config);
        let request = headers(&[
            (HeaderName::SessionExpires, "3600"),
            (HeaderName::MinSe, "1200"),
            (HeaderName::Supported, "timer"),
        ]);
        assert_eq!(timer.consider(&config, &request).unwrap().unwrap().interval, 1200);
    }

    #[test]
    fn refresh_is_due_at_half_and_the_end_a_margin_before_the_interval() {
        let now = Instant::now();
        let mut timer = SessionTimer::new(&config(None));
        timer.agreed(now, &headers(&[(HeaderName::SessionExpires, "90;refresher=uac")]));
        assert_eq!(timer.refresh_at, Some(now + Duration::from_secs(45)));
        assert_eq!(timer.expire_at, Some(now + Duration::from_secs(60)));
        timer.agreed(now, &headers(&[(HeaderName::SessionExpires, "1800;refresher=uas")]));
        assert_eq!(timer.refresh_at, None);
        assert_eq!(timer.expire_at, Some(now + Duration::from_secs(1768)));
        timer.agreed(now, &headers(&[(HeaderName::SessionExpires, "0")]));
        assert_eq!(timer.expire_at, None);
        timer.agreed(now, &headers(&[(HeaderName::SessionExpires, "1800")]));
        assert_eq!(timer.refresh_at, Some(now + Duration::from_secs(900)), "unsaid: ours");
        timer.agreed(now, &Headers::new());
        assert_eq!(timer.expire_at, None);
    }
}
