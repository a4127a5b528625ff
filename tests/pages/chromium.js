// Sound in Chromium, whose AudioContext runs without a sound card.

const settings = await (await fetch('/settings')).json();

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

// The ear: the loudest frequency, ten times a second.
const ear = new AnalyserNode(audio, { fftSize: 8192, smoothingTimeConstant: 0 });
let source;
export function hear(stream) {
  document.getElementById('remote').srcObject = stream;
  source?.disconnect();
  source = audio.createMediaStreamSource(stream);
  source.connect(ear);
}

export async function loudest() {
  await new Promise((done) => setTimeout(done, 100));
  const levels = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(levels);
  const at = levels.reduce((best, level, n) => (level > levels[best] ? n : best), 0);
  return { frequency: (at * audio.sampleRate) / ear.fftSize, level: levels[at], seconds: 0.1 };
}
