//! Descriptions in the style of what devices really send, and what must be read out of them.

use super::{Direction, SessionDescription};

/// Name, text, and per stream: kind, port, transport, address, direction.
pub(crate) type Sample = (&'static str, &'static str, &'static [Expected]);
type Expected = (&'static str, u16, &'static str, &'static str, Direction);

use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

pub(crate) const SAMPLES: &[Sample] = &[
    (
        "Voice Connector, origination",
        "v=0\r\no=Sonus_UAC 482131 76351 IN IP4 3.80.17.12\r\ns=SIP Media Capabilities\r\nc=IN IP4 3.80.17.12\r\nt=0 0\r\nm=audio 36488 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\na=rtcp:36489\r\na=ptime:20\r\n",
        &[("audio", 36488, "RTP/AVP", "3.80.17.12", SendRecv)],
    ),
    (
        "Voice Connector, encrypted",
        "v=0\r\no=Sonus_UAC 1 1 IN IP4 3.80.17.12\r\ns=SIP Media Capabilities\r\nc=IN IP4 3.80.17.12\r\nt=0 0\r\nm=audio 42006 RTP/SAVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\na=sendrecv\r\na=rtcp:42007\r\na=ptime:20\r\n",
        &[("audio", 42006, "RTP/SAVP", "3.80.17.12", SendRecv)],
    ),
    (
        "Asterisk, chan_pjsip",
        "v=0\r\no=- 1408534721 1408534721 IN IP4 192.0.2.10\r\ns=Asterisk\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 14580 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:140\r\na=sendrecv\r\n",
        &[("audio", 14580, "RTP/AVP", "192.0.2.10", SendRecv)],
    ),
    (
        "Asterisk on hold",
        "v=0\r\no=- 1408534721 1408534723 IN IP4 192.0.2.10\r\ns=Asterisk\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 14580 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n",
        &[("audio", 14580, "RTP/AVP", "192.0.2.10", SendOnly)],
    ),
    (
        "Polycom, with SRTP offered beside clear RTP",
        "v=0\r\no=- 1699970000 1699970000 IN IP4 10.1.1.20\r\ns=Polycom IP Phone\r\nc=IN IP4 10.1.1.20\r\nb=AS:64\r\nt=0 0\r\na=sendrecv\r\nm=audio 2232 RTP/AVP 9 0 8 127\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:127 telephone-event/8000\r\nm=audio 2234 RTP/SAVP 9 0 8 127\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\na=rtpmap:127 telephone-event/8000\r\n",
        &[
            ("audio", 2232, "RTP/AVP", "10.1.1.20", SendRecv),
            ("audio", 2234, "RTP/SAVP", "10.1.1.20", SendRecv),
        ],
    ),
    (
        "Polycom, hold with session-level direction",
        "v=0\r\no=- 1699970000 1699970001 IN IP4 10.1.1.20\r\ns=Polycom IP Phone\r\nc=IN IP4 10.1.1.20\r\nt=0 0\r\na=sendonly\r\nm=audio 2232 RTP/AVP 0 127\r\na=rtpmap:127 telephone-event/8000\r\n",
        &[("audio", 2232, "RTP/AVP", "10.1.1.20", SendOnly)],
    ),
    (
        "Old hold with address 0.0.0.0",
        "v=0\r\no=CiscoSystemsSIP-GW-UserAgent 7021 7022 IN IP4 10.2.2.2\r\ns=SIP Call\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 17000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:0 PCMU/8000\r\n",
        &[("audio", 17000, "RTP/AVP", "0.0.0.0", SendRecv)],
    ),
    (
        "Yealink",
        "v=0\r\no=- 20000 20000 IN IP4 192.168.1.55\r\ns=SDP data\r\nc=IN IP4 192.168.1.55\r\nt=0 0\r\nm=audio 11780 RTP/AVP 9 0 8 18 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n",
        &[("audio", 11780, "RTP/AVP", "192.168.1.55", SendRecv)],
    ),
    (
        "Yealink with video",
        "v=0\r\no=- 20001 20001 IN IP4 192.168.1.55\r\ns=SDP data\r\nc=IN IP4 192.168.1.55\r\nb=AS:2048\r\nt=0 0\r\nm=audio 11780 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\nm=video 11782 RTP/AVP 106\r\na=rtpmap:106 H264/90000\r\na=fmtp:106 profile-level-id=42801F; packetization-mode=0\r\na=sendrecv\r\n",
        &[
            ("audio", 11780, "RTP/AVP", "192.168.1.55", SendRecv),
            ("video", 11782, "RTP/AVP", "192.168.1.55", SendRecv),
        ],
    ),
    (
        "Snom, crypto beside clear RTP",
        "v=0\r\no=root 1342 1342 IN IP4 10.0.0.9\r\ns=call\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 60000 RTP/AVP 8 0 101\r\na=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\na=rtpmap:8 pcma/8000\r\na=rtpmap:0 pcmu/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=encryption:optional\r\na=sendrecv\r\n",
        &[("audio", 60000, "RTP/AVP", "10.0.0.9", SendRecv)],
    ),
    (
        "Grandstream adapter, fax re-offer",
        "v=0\r\no=fax 8000 8001 IN IP4 192.168.0.30\r\ns=SIP Call\r\nc=IN IP4 192.168.0.30\r\nt=0 0\r\nm=image 5010 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxRateManagement:transferredTCF\r\na=T38FaxMaxBuffer:1000\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n",
        &[("image", 5010, "udptl", "192.168.0.30", SendRecv)],
    ),
    (
        "Fax gateway, audio and T.38",
        "v=0\r\no=- 1 2 IN IP4 198.51.100.4\r\ns=-\r\nc=IN IP4 198.51.100.4\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\nm=image 20002 udptl t38\r\na=T38FaxVersion:3\r\n",
        &[
            ("audio", 0, "RTP/AVP", "198.51.100.4", SendRecv),
            ("image", 20002, "udptl", "198.51.100.4", SendRecv),
        ],
    ),
    (
        "A browser",
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic: WMS stream\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:9d2f\r\na=ice-pwd:0123456789abcdef01234567\r\na=fingerprint:sha-256 00:11:22\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\na=candidate:1 1 udp 2113937151 192.0.2.3 50000 typ host\r\n",
        &[("audio", 9, "UDP/TLS/RTP/SAVPF", "0.0.0.0", SendRecv)],
    ),
    (
        "Linphone, feedback profile",
        "v=0\r\no=alice 3265 1512 IN IP4 192.168.5.6\r\ns=Talk\r\nc=IN IP4 192.168.5.6\r\nt=0 0\r\na=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\na=record:off\r\nm=audio 7078 RTP/AVPF 96 97 98 0 8 101 99\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=rtpmap:97 speex/16000\r\na=rtpmap:98 speex/8000\r\na=rtpmap:101 telephone-event/48000\r\na=rtpmap:99 telephone-event/8000\r\na=rtcp-fb:* trr-int 5000\r\n",
        &[("audio", 7078, "RTP/AVPF", "192.168.5.6", SendRecv)],
    ),
    (
        "baresip on IPv6",
        "v=0\r\no=- 3899 71 IN IP6 2001:db8::5\r\ns=-\r\nc=IN IP6 2001:db8::5\r\nt=0 0\r\nm=audio 20532 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtcp:20533 IN IP6 2001:db8::5\r\na=label:1\r\n",
        &[("audio", 20532, "RTP/AVP", "2001:db8::5", SendRecv)],
    ),
    (
        "Cisco gateway with GSM named twice and annexes",
        "v=0\r\no=CiscoSystemsSIP-GW-UserAgent 3241 7890 IN IP4 172.16.0.1\r\ns=SIP Call\r\nc=IN IP4 172.16.0.1\r\nt=0 0\r\nm=audio 16388 RTP/AVP 18 0 19 101\r\nc=IN IP4 172.16.0.1\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:19 CN/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n",
        &[("audio", 16388, "RTP/AVP", "172.16.0.1", SendRecv)],
    ),
    (
        "Line feeds only, no s= and no t=",
        "v=0\no=- 1 1 IN IP4 10.0.0.1\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 0\n",
        &[("audio", 4000, "RTP/AVP", "10.0.0.1", SendRecv)],
    ),
    (
        "Carriage returns only",
        "v=0\rc=IN IP4 10.0.0.1\rm=audio 4000 RTP/AVP 0\ra=recvonly\r",
        &[("audio", 4000, "RTP/AVP", "10.0.0.1", RecvOnly)],
    ),
    (
        "No v=, no o=, words for numbers, blanks around",
        "o=me session-one version.two IN IP4 10.0.0.1\r\ns = hello \r\nc= IN IP4 10.0.0.1\r\n\r\nm=audio  4000  RTP/AVP  0   8 \r\na = inactive \r\n",
        &[("audio", 4000, "RTP/AVP", "10.0.0.1", Inactive)],
    ),
    (
        "Session id too large for any integer",
        "v=0\r\no=- 99999999999999999999999999 88888888888888888888888888 IN IP4 10.0.0.1\r\ns=x\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
        &[("audio", 4000, "RTP/AVP", "10.0.0.1", SendRecv)],
    ),
    (
        "Address of the stream over that of the session, TTL, port count",
        "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=x\r\nc=IN IP4 10.0.0.1/127\r\nt=0 0\r\na=recvonly\r\nm=audio 4000/2 RTP/AVP 0\r\nc=IN IP4 10.0.0.2\r\na=sendonly\r\nm=audio 4004 RTP/AVP 0\r\n",
        &[
            ("audio", 4000, "RTP/AVP", "10.0.0.2", SendOnly),
            ("audio", 4004, "RTP/AVP", "10.0.0.1", RecvOnly),
        ],
    ),
    (
        "Unknown letters and lines without sense",
        "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=x\r\nQ=what\r\nnonsense\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nz=0\r\nm=audio 4000 RTP/AVP 0\r\ny=0100008888\r\nf=v/2/4///a/1/8/1\r\n=\r\na=\r\na=:\r\n",
        &[("audio", 4000, "RTP/AVP", "10.0.0.1", SendRecv)],
    ),
    (
        "FreeSWITCH with comfort noise and silence suppression off",
        "v=0\r\no=FreeSWITCH 1699999999 1700000000 IN IP4 203.0.113.7\r\ns=FreeSWITCH\r\nc=IN IP4 203.0.113.7\r\nt=0 0\r\nm=audio 27412 RTP/AVP 0 8 101 13\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=rtpmap:13 CN/8000\r\na=silenceSupp:off - - - -\r\na=ptime:20\r\n",
        &[("audio", 27412, "RTP/AVP", "203.0.113.7", SendRecv)],
    ),
    (
        "Mitel with thirty millisecond packets",
        "v=0\r\no=MxSIP 0 1 IN IP4 10.9.8.7\r\ns=SIP Call\r\nc=IN IP4 10.9.8.7\r\nt=0 0\r\nm=audio 3000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:30\r\na=maxptime:30\r\na=sendrecv\r\n",
        &[("audio", 3000, "RTP/AVP", "10.9.8.7", SendRecv)],
    ),
    (
        "Teams-like border controller: mux, own RTCP address",
        "v=0\r\no=- 136541 0 IN IP4 52.112.0.9\r\ns=session\r\nb=CT:10000000\r\nt=0 0\r\nm=audio 50012 RTP/SAVP 104 9 103 0 8 13 101\r\nc=IN IP4 52.112.0.9\r\na=rtcp:50013 IN IP4 52.112.0.10\r\na=rtcp-mux\r\na=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^31|1:1\r\na=rtpmap:104 SILK/16000\r\na=rtpmap:103 SILK/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n",
        &[("audio", 50012, "RTP/SAVP", "52.112.0.9", SendRecv)],
    ),
    (
        "Application stream with words for formats",
        "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=x\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\nm=audio 4000 RTP/AVP 0\r\nm=message 2855 TCP/MSRP *\r\n",
        &[
            ("application", 9, "UDP/DTLS/SCTP", "10.0.0.1", SendRecv),
            ("audio", 4000, "RTP/AVP", "10.0.0.1", SendRecv),
            ("message", 2855, "TCP/MSRP", "10.0.0.1", SendRecv),
        ],
    ),
    (
        "Latin-1 in the session name",
        "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=B\u{fc}ro\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
        &[("audio", 4000, "RTP/AVP", "10.0.0.1", SendRecv)],
    ),
];

#[test]
fn what_devices_really_send_is_read() {
    for (name, text, expected) in SAMPLES {
        let sdp =
            SessionDescription::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let found: Vec<_> = sdp
            .media
            .iter()
            .map(|media| {
                let address = sdp.connection_of(media).unwrap_or_else(|| panic!("{name}")).address;
                let direction = sdp.direction_of(media);
                (media.kind.as_str(), media.port, media.proto.as_str(), address, direction)
            })
            .collect();
        assert_eq!(&found, expected, "{name}");
    }
}

#[test]
fn what_is_printed_is_read_back_the_same() {
    for (name, text, _) in SAMPLES {
        let sdp = SessionDescription::parse(text.as_bytes()).unwrap();
        let printed = sdp.to_string();
        assert_eq!(SessionDescription::parse(printed.as_bytes()).unwrap(), sdp, "{name}");
    }
}
