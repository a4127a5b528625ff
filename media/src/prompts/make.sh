#!/bin/sh
# Makes the default prompts anew from prompts.txt with espeak-ng and sox (Debian packages of these
# names). Only needed when a text changes; the results are committed. 8 kHz mono µ-law WAV.
set -eu
cd "$(dirname "$0")"
voice=${VOICE:-en-us+f3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p voice
grep -v '^#' prompts.txt | while IFS='|' read -r name text; do
    [ -n "$name" ] || continue
    printf '%s\n' "$text" | espeak-ng -v "$voice" -s 172 -g 1 --stdin -w "$work/raw.wav"
    # Trims silence on both ends, keeps 40 ms at the end, brings all to one loudness.
    sox -D "$work/raw.wav" "$work/trim.wav" \
        silence 1 0.005 0.3% reverse silence 1 0.005 0.3% reverse pad 0 0.04
    sox -D "$work/trim.wav" -r 8000 -c 1 -e u-law -b 8 "voice/$name.wav" \
        highpass 150 norm -4 rate -v 8000
done
ls -l voice | awk '{ sum += $5 } END { print sum " bytes" }'
