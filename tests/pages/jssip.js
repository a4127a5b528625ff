// JsSIP, whose modules are CommonJS: a loader of twenty lines instead of a bundler.

const loaded = new Map();

function read(url) {
  const request = new XMLHttpRequest();
  request.open('GET', url, false);
  request.send();
  return request.status === 200 ? request.responseText : null;
}

function entry(name) {
  const { browser, main } = JSON.parse(read(`/npm/${name}/package.json`));
  return new URL(typeof browser === 'string' ? browser : main, `${location.origin}/npm/${name}/`).href;
}

function load(url) {
  const found = [url, `${url}.js`, `${url.replace(/\/$/, '')}/index.js`].find(
    (place) => loaded.has(place) || (/\.js(on)?$/.test(place) && read(place) !== null),
  );
  if (!found) throw new Error(`no module ${url}`);
  if (loaded.has(found)) return loaded.get(found).exports;
  const module = { exports: {} };
  loaded.set(found, module);
  if (found.endsWith('.json')) module.exports = JSON.parse(read(found));
  else {
    const require = (name) => load(name.startsWith('.') ? new URL(name, found).href : entry(name));
    new Function('module', 'exports', 'require', `${read(found)}\n//# sourceURL=${found}`)(
      module, module.exports, require);
  }
  return module.exports;
}

let ua, session, settings;

export default {
  async start(given, tell, hear) {
    settings = given;
    const JsSIP = load(entry('jssip'));
    ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(settings.server)],
      uri: `sip:${settings.user}@${settings.host}`,
      password: settings.password,
    });
    ua.on('registered', () => tell('registered'));
    ua.on('registrationFailed', (e) => tell('registrationFailed', { cause: e.cause }));
    ua.on('newRTCSession', (e) => {
      session = e.session;
      if (session.direction === 'incoming') tell('incoming', { from: e.request.from.uri.user });
      const tracks = (pc) => pc.addEventListener('track', (t) => hear(t.streams[0]));
      if (session.connection) tracks(session.connection);
      session.on('peerconnection', (p) => tracks(p.peerconnection));
      session.on('accepted', () => tell('accepted'));
      session.on('confirmed', () => tell('established'));
      session.on('ended', (end) => tell('ended', { cause: end.cause, by: end.originator }));
      session.on('failed', (end) => tell('failed', { cause: end.cause, by: end.originator }));
      session.on('hold', (h) => tell('hold', { by: h.originator }));
      session.on('unhold', (h) => tell('unhold', { by: h.originator }));
    });
    ua.start();
  },
  call({ number }) {
    ua.call(`sip:${number}@${settings.host}`, { mediaConstraints: { audio: true, video: false } });
  },
  answer() { session.answer({ mediaConstraints: { audio: true, video: false } }); },
  hangup() { session.terminate(); },
  hold() { session.hold(); },
  unhold() { session.unhold(); },
  digit({ key }) { session.sendDTMF(key, { transportType: 'RFC2833' }); },
};
