#!/bin/bash
# Runs Offhook in the foreground with the bench configuration of ../shared/bench. Env: RUN (work dir), NUSERS,
# PROMPT (wav), OFFHOOK (the program; the release build of this tree by default), MORE (of the configuration)
set -e
HERE=$(cd "$(dirname "$0")" && pwd)
OFFHOOK=${OFFHOOK:-$HERE/../../../target/release/offhook}
RUN=${RUN:-${PEERS:-$HOME/peers}/run/offhook}; NUSERS=${NUSERS:-1000}; PROMPT=${PROMPT:-${PEERS:-$HOME/peers}/prompt.wav}
if [ "$1" != run ]; then
rm -rf "$RUN"; mkdir -p "$RUN/rec"
# A greeting of 0.3 s, as the bench asks of a voicemail application.
sox -n -r 8000 -c 1 -b 16 "$RUN/greeting.wav" synth 0.3 sine 1000 gain -12
# What the appliance plays where nobody brought a prompt.
[ -e "$PROMPT" ] || sox -n -r 8000 -c 1 -b 16 "$PROMPT" synth 120 pinknoise gain -12
{ cat <<C
[server]
realm = "bench"
data_dir = "$RUN/data"
[[listen]]
transport = "udp"
address = "127.0.0.1:5060"
[http]
address = "127.0.0.1:9480"
[media]
ports = "10000-29999"
codecs = [${CODECS:-\"PCMU\"}]
[sip]
max_calls = 20000
[voicemail]
greeting = "$RUN/greeting.wav"
max_seconds = 600
max_messages = 100000
[[trunk]]
name = "caller"
type = "generic"
host = "127.0.0.2:5070"
peers = ["127.0.0.2/32"]
outbound = false
[[trunk]]
name = "far"
type = "generic"
host = "127.0.0.3:5090"
peers = ["127.0.0.3/32"]
keep_caller = true
[[number]]
match = "9*"
from = "trunk:caller"
to = "trunk:far"
[[number]]
match = "700"
to = "play:$PROMPT"
[[number]]
match = "801"
to = "record:$RUN/rec"
[[number]]
match = "800"
to = "voicemail:1000"
[[extension]]
number = "1000"
password = "pw1000"
C
printf '%s\n' "$MORE"; for ((i=0;i<NUSERS;i++)); do u=$(printf 'u%04d' $i); printf '[[extension]]\nnumber = "%s"\npassword = "pw%s"\n' $u $u; done; } > "$RUN/offhook.toml"
fi
[ "$1" = prepare ] && exit 0
exec "$OFFHOOK" serve --config "$RUN/offhook.toml"
