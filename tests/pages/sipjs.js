// SIP.js, whose modules a browser loads as they are.

import { Web } from '/npm/sip.js/lib/index.js';

let user, settings;

export default {
  async start(given, tell, hear) {
    settings = given;
    const remote = document.getElementById('remote');
    const stream = () => user.remoteMediaStream && hear(user.remoteMediaStream);
    user = new Web.SimpleUser(settings.server, {
      aor: `sip:${settings.user}@${settings.host}`,
      media: { constraints: { audio: true, video: false }, remote: { audio: remote } },
      userAgentOptions: {
        authorizationUsername: settings.user,
        authorizationPassword: settings.password,
      },
    });
    user.delegate = {
      onRegistered: () => tell('registered'),
      onCallReceived: () => tell('incoming'),
      onCallAnswered: () => { stream(); tell('established'); },
      onCallHangup: () => tell('ended'),
      onCallHold: (held) => tell(held ? 'hold' : 'unhold'),
    };
    await user.connect();
    await user.register();
  },
  call({ number }) { return user.call(`sip:${number}@${settings.host}`); },
  answer() { return user.answer(); },
  hangup() { return user.hangup(); },
  hold() { return user.hold(); },
  unhold() { return user.unhold(); },
  digit({ key }) { return user.sendDTMF(key); },
};
