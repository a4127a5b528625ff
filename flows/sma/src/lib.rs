//! Events, actions and session rules of a SIP media application. Knows nothing of SIP or RTP.
