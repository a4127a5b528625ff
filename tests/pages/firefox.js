// Sound in Firefox, whose AudioContext stands still without a sound card: its microphone is the one
// that it has for tests, with the tone of its preferences, and its ear is a recorder.

let remote = null;
export function hear(stream) {
  document.getElementById('remote').srcObject = stream;
  remote = stream;
}

const RATE = 48_000;
const LENGTH = 8_192;
const window = Float32Array.from({ length: LENGTH }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / LENGTH));

// What was heard in a third of a second.
async function record() {
  if (!remote) return new Float32Array();
  const recorder = new MediaRecorder(remote);
  const parts = [];
  recorder.ondataavailable = (part) => parts.push(part.data);
  const stopped = new Promise((done) => { recorder.onstop = done; });
  recorder.start();
  await new Promise((done) => setTimeout(done, 300));
  recorder.stop();
  await stopped;
  const file = await new Blob(parts).arrayBuffer();
  // A recording in which nothing came is no file.
  const decoded = await new OfflineAudioContext(1, RATE, RATE).decodeAudioData(file).catch(() => null);
  return decoded ? decoded.getChannelData(0) : new Float32Array();
}

// How loud a frequency is, in decibels of the loudest tone (Goertzel's algorithm).
function level(samples, frequency) {
  const turn = 2 * Math.cos((2 * Math.PI * frequency) / RATE);
  let [one, two] = [0, 0];
  for (let n = 0; n < LENGTH; n++) [one, two] = [samples[n] * window[n] + turn * one - two, one];
  const power = one * one + two * two - turn * one * two;
  return 10 * Math.log10(power / (LENGTH / 4) ** 2 + 1e-12);
}

export async function loudest() {
  const heard = await record();
  const last = heard.subarray(Math.max(0, heard.length - LENGTH));
  const best = { frequency: 0, level: -Infinity, seconds: 0.3 };
  if (last.length < LENGTH) {
    await new Promise((done) => setTimeout(done, 100));
    return { ...best, seconds: 0.1 };
  }
  for (let frequency = 100; frequency < 3_500; frequency += 5) {
    const now = level(last, frequency);
    if (now > best.level) Object.assign(best, { frequency, level: now });
  }
  return best;
}
