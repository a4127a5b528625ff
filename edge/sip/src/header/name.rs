//! Header field names (RFC 3261 §7.3.1, compact forms §7.3.3).

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::params::is_token;

macro_rules! names {
    ($($variant:ident $text:literal $($lower:literal)|+;)+) => {
        /// A header field name. Known names are compared as variants (compact forms included);
        /// unknown ones are kept as written and compared without case (RFC 3261 §7.3.1).
        #[derive(Clone, Debug)]
        #[allow(missing_docs)]
        pub enum HeaderName {
            $($variant,)+
            /// Any other, as written. Must not be the name of a variant: use [`HeaderName::parse`]
            /// for text that comes from outside.
            Other(Box<str>),
        }

        impl HeaderName {
            /// The long form in its usual spelling; an unknown name as written.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(name) => name,
                }
            }

            /// By its name in lower case.
            fn known(lower: &[u8]) -> Option<Self> {
                match lower {
                    $($($lower)|+ => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// All names that have a variant.
            #[cfg(test)]
            pub(super) const KNOWN: &'static [Self] = &[$(Self::$variant),+];
        }
    };
}

names! {
    Via "Via" b"via" | b"v";
    From "From" b"from" | b"f";
    To "To" b"to" | b"t";
    CallId "Call-ID" b"call-id" | b"i";
    CSeq "CSeq" b"cseq";
    MaxForwards "Max-Forwards" b"max-forwards";
    Contact "Contact" b"contact" | b"m";
    Route "Route" b"route";
    RecordRoute "Record-Route" b"record-route";
    ContentType "Content-Type" b"content-type" | b"c";
    ContentLength "Content-Length" b"content-length" | b"l";
    ContentEncoding "Content-Encoding" b"content-encoding" | b"e";
    ContentDisposition "Content-Disposition" b"content-disposition";
    ContentLanguage "Content-Language" b"content-language";
    MimeVersion "MIME-Version" b"mime-version";
    Expires "Expires" b"expires";
    MinExpires "Min-Expires" b"min-expires";
    Allow "Allow" b"allow";
    Supported "Supported" b"supported" | b"k";
    Require "Require" b"require";
    ProxyRequire "Proxy-Require" b"proxy-require";
    Unsupported "Unsupported" b"unsupported";
    Accept "Accept" b"accept";
    AcceptEncoding "Accept-Encoding" b"accept-encoding";
    AcceptLanguage "Accept-Language" b"accept-language";
    AcceptContact "Accept-Contact" b"accept-contact" | b"a";
    RejectContact "Reject-Contact" b"reject-contact" | b"j";
    RequestDisposition "Request-Disposition" b"request-disposition" | b"d";
    UserAgent "User-Agent" b"user-agent";
    Server "Server" b"server";
    Organization "Organization" b"organization";
    Priority "Priority" b"priority";
    InReplyTo "In-Reply-To" b"in-reply-to";
    ReplyTo "Reply-To" b"reply-to";
    Authorization "Authorization" b"authorization";
    ProxyAuthorization "Proxy-Authorization" b"proxy-authorization";
    WwwAuthenticate "WWW-Authenticate" b"www-authenticate";
    ProxyAuthenticate "Proxy-Authenticate" b"proxy-authenticate";
    AuthenticationInfo "Authentication-Info" b"authentication-info";
    RetryAfter "Retry-After" b"retry-after";
    Warning "Warning" b"warning";
    ErrorInfo "Error-Info" b"error-info";
    Reason "Reason" b"reason";
    SessionExpires "Session-Expires" b"session-expires" | b"x";
    MinSe "Min-SE" b"min-se";
    RSeq "RSeq" b"rseq";
    RAck "RAck" b"rack";
    Event "Event" b"event" | b"o";
    SubscriptionState "Subscription-State" b"subscription-state";
    AllowEvents "Allow-Events" b"allow-events" | b"u";
    SipEtag "SIP-ETag" b"sip-etag";
    SipIfMatch "SIP-If-Match" b"sip-if-match";
    ReferTo "Refer-To" b"refer-to" | b"r";
    ReferredBy "Referred-By" b"referred-by" | b"b";
    ReferSub "Refer-Sub" b"refer-sub";
    TargetDialog "Target-Dialog" b"target-dialog";
    Replaces "Replaces" b"replaces";
    Join "Join" b"join";
    PAssertedIdentity "P-Asserted-Identity" b"p-asserted-identity";
    PPreferredIdentity "P-Preferred-Identity" b"p-preferred-identity";
    RemotePartyId "Remote-Party-ID" b"remote-party-id";
    Privacy "Privacy" b"privacy";
    Identity "Identity" b"identity" | b"y";
    IdentityInfo "Identity-Info" b"identity-info" | b"n";
    Diversion "Diversion" b"diversion";
    HistoryInfo "History-Info" b"history-info";
    UserToUser "User-to-User" b"user-to-user";
    Path "Path" b"path";
    ServiceRoute "Service-Route" b"service-route";
    FlowTimer "Flow-Timer" b"flow-timer";
    AlertInfo "Alert-Info" b"alert-info";
    CallInfo "Call-Info" b"call-info";
    Subject "Subject" b"subject" | b"s";
    Date "Date" b"date";
    Timestamp "Timestamp" b"timestamp";
}

/// The longest name that has a variant fits.
const LONGEST: usize = 24;

impl HeaderName {
    /// Reads a name, long or compact, in any case. `None` when it is no token.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let mut lower = [0; LONGEST];
        if let Some(lower) = lower.get_mut(..name.len()) {
            lower.copy_from_slice(name);
            lower.make_ascii_lowercase();
            if let Some(known) = Self::known(lower) {
                return Some(known);
            }
        }
        let text = std::str::from_utf8(name).ok()?;
        let token = !text.is_empty() && text.bytes().all(is_token);
        token.then(|| Self::Other(text.into()))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other(a), Self::Other(b)) => a.eq_ignore_ascii_case(b),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        if let Self::Other(name) = self {
            name.bytes().for_each(|b| b.to_ascii_lowercase().hash(state));
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
