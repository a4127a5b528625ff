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

// Firefox tells where it is only when a real microphone is open.
if (settings.asks_for_microphone) {
  globalThis.microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
}

// The microphone: a tone, whatever asks for one.
const audio = new AudioContext();
await audio.resume();
const oscillator = new OscillatorNode(audio, { frequency: settings.tone });
const volume = new GainNode(audio, { gain: 0.5 });
navigator.mediaDevices.getUserMedia = async () => {
  const microphone = audio.createMediaStreamDestination();
  volume.connect(microphone);
  return microphone.stream;
};
oscillator.connect(volume);
oscillator.start();

// A camera in front of the microphone, and all over one transport, when the test wants it so.
if (settings.camera_first) {
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration, ...words) {
      super({ ...configuration, bundlePolicy: settings.camera_first }, ...words);
      this.addTransceiver('video');
    }
  };
}

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

// The ear: the loudest frequency, ten times a second.
const ear = new AnalyserNode(audio, { fftSize: 8192, smoothingTimeConstant: 0 });
let source;
function hear(stream) {
  document.getElementById('remote').srcObject = stream;
  source?.disconnect();
  source = audio.createMediaStreamSource(stream);
  source.connect(ear);
}

function loudest() {
  const levels = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(levels);
  const at = levels.reduce((best, level, n) => (level > levels[best] ? n : best), 0);
  return { frequency: (at * audio.sampleRate) / ear.fftSize, level: levels[at] };
}

// Until `seconds` in all of the tone (0: of silence) were heard; gives up after twenty.
async function listen({ frequency, seconds }) {
  const step = 0.1;
  let heard = 0;
  const last = [];
  for (let tries = 0; tries < 200 && heard < seconds - 1e-6; tries++) {
    await new Promise((done) => setTimeout(done, step * 1000));
    const now = loudest();
    last.push(`${Math.round(now.frequency)} Hz ${Math.round(now.level)} dB`);
    const silent = now.level < -60;
    const right = frequency === 0 ? silent : !silent && Math.abs(now.frequency - frequency) < 15;
    heard += right ? step : 0;
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
