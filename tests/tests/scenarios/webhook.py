"""A receiver of webhooks: checks the signature as docs/applications.md says, and runs calls."""

import hashlib
import hmac
import http.server
import json
import ssl
import sys
import threading
import time

SECRET = sys.argv[1].encode()
CERTIFICATE, KEY, ADDRESS, LOG = sys.argv[2:6]
LOCK = threading.Lock()
SEEN = {}


def is_genuine(header, body, secret, now):
    fields = dict(field.split("=", 1) for field in header.split(","))
    signed = fields["t"].encode() + b"." + body
    tag = hmac.new(secret, signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(tag, fields["v1"]) and abs(now - int(fields["t"])) <= 300


def speak(text):
    return {"Type": "Speak", "Parameters": {"Text": text, "ParticipantTag": "LEG-A"}}


def menu(event):
    kind = event["InvocationEventType"]
    data = event.get("ActionData", {})
    if kind == "NEW_INBOUND_CALL":
        return [{"Type": "SpeakAndGetDigits", "Parameters": {
            "ParticipantTag": "LEG-A", "InputDigitsRegex": "^[0-9]{4}$", "MinNumberOfDigits": 4,
            "MaxNumberOfDigits": 5, "TerminatorDigits": ["#"], "Repeat": 2,
            "InBetweenDigitsDurationInMilliseconds": 3000, "RepeatDurationInMilliseconds": 10000,
            "SpeechParameters": {"Text": "Your customer number, please."},
            "FailureSpeechParameters": {"Text": "That was not it."}}}]
    if kind == "ACTION_SUCCESSFUL" and data["Type"] == "SpeakAndGetDigits":
        return [speak("Thank you."), {"Type": "CallAndBridge", "Parameters": {
            "CallTimeoutSeconds": 30, "CallerIdNumber": "+15550100100",
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "101"}],
            "SipHeaders": {"X-Customer": data["ReceivedDigits"]}}}]
    if kind == "HANGUP":
        legs = event["CallDetails"]["Participants"]
        up = [leg["CallId"] for leg in legs if leg.get("Status") == "Connected"]
        return [{"Type": "Hangup", "Parameters": {"CallId": leg}} for leg in up]
    return []


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        key = self.headers["idempotency-key"]
        path = self.path.split("?")[0]
        with LOCK:
            attempt = SEEN[self.path, key] = SEEN.get((self.path, key), 0) + 1
        if not is_genuine(self.headers["offhook-signature"], body, SECRET, time.time()):
            return self.answer(401, {"error": "not genuine"}, None, key, attempt)
        event = json.loads(body)
        digits = event.get("ActionData", {}).get("ReceivedDigits")
        if path == "/forbidden":
            return self.answer(403, {"error": "no"}, event, key, attempt)
        if path == "/throttled" and attempt == 1:
            return self.answer(429, {"error": "later"}, event, key, attempt)
        if path == "/slow" and digits and attempt == 1:
            # Longer than the appliance waits before it asks anew.
            time.sleep(9)
        reply = {"SchemaVersion": "1.0", "Actions": menu(event)}
        return self.answer(200, reply, event, key, attempt)

    def answer(self, status, reply, event, key, attempt):
        with LOCK, open(LOG, "a", encoding="utf-8") as log:
            told = event and event["InvocationEventType"]
            log.write(json.dumps([self.path, key, attempt, status, told]) + "\n")
        body = json.dumps(reply).encode()
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


host, port = ADDRESS.split(":")
server = http.server.ThreadingHTTPServer((host, int(port)), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
