// A telephone that a test rings with: commands come from /command, what happens goes to /event.
// The two libraries are used as they come from the registry.

const settings = await (await fetch('/settings')).json();

async function tell(event, more = {}) {
  await fetch('/event', { method: 'POST', body: JSON.stringify({ event, ...more }) });
}

addEventListener('error', (e) => tell('error', { text: String(e.message) }));
addEventListener('unhandledrejection', (e) => tell('error', { text: String(e.reason?.stack ?? e.reason) }));

// The page's connections, to be cut.
const sockets = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(...words) {
    super(...words);
    sockets.push(this);
  }
};

// Its microphone and its ear, as far as the browser has them without a sound card.
const { hear, loudest } = await import(`/${settings.browser}.js`);

// One codec only, when the test wants it so.
if (settings.codec) {
  const all = RTCRtpReceiver.getCapabilities('audio').codecs;
  const only = all.filter((codec) => codec.mimeType === settings.codec);
  for (const make of ['createOffer', 'createAnswer']) {
    const original = RTCPeerConnection.prototype[make];
    RTCPeerConnection.prototype[make] = function (...words) {
      this.getTransceivers().forEach((line) => line.setCodecPreferences(only));
      return original.apply(this, words);
    };
  }
}

// Until `seconds` in all of the tone (0: of silence) were heard; gives up after forty.
async function listen({ frequency, seconds }) {
  let heard = 0;
  const last = [];
  const end = Date.now() + 40_000;
  while (Date.now() < end && heard < seconds - 1e-6) {
    const now = await loudest();
    last.push(`${Math.round(now.frequency)} Hz ${Math.round(now.level)} dB`);
    const silent = now.level < -60;
    const right = frequency === 0 ? silent : !silent && Math.abs(now.frequency - frequency) < 15;
    heard += right ? now.seconds : 0;
  }
  await tell('heard', { seconds: heard + 1e-6, last: last.slice(-5) });
}

const { default: phone } = await import(`/${settings.library}.js`);
await phone.start(settings, tell, hear);
await tell('loaded');
for (;;) {
  const command = await (await fetch('/command')).json();
  if (command?.do === 'listen') await listen(command);
  else if (command?.do === 'cut') sockets.splice(0).forEach((socket) => socket.close());
  else if (command) await phone[command.do](command);
}
