"""A unit for MicroPython (ESP32 and the like). Copy it to the board as main.py, with unit.json beside it:

    {"unit": "PSH-001", "host": "192.0.2.7", "port": 1883, "password": "…", "interval_s": 30}

It needs nothing but MicroPython: the few packets of MQTT 3.1.1 that a unit uses are written out below. The board is on the
network already (boot.py connects it and sets the clock, with ntptime). Its figures come from sensors.json: put your pins there.
The same file runs with the MicroPython of a PC, and with CPython.
"""

import json
import os
import select
import socket
import struct
import time

try:
    from time import ticks_ms, ticks_diff, sleep_ms
except ImportError:  # CPython

    def ticks_ms():
        return int(time.monotonic() * 1000)

    def ticks_diff(later, earlier):
        return later - earlier

    def sleep_ms(ms):
        time.sleep(ms / 1000)


# Boards count seconds from the year 2000, PCs from 1970.
EPOCH = 946684800 if time.gmtime(0)[0] == 2000 else 0
KEEP_ALIVE_S = 30
# Memory is short: about 40 minutes of messages.
KEEP_AT_MOST = 100


class LinkLost(Exception):
    pass


class Mqtt:
    """MQTT 3.1.1 as far as a unit needs it: QoS 1 both ways, a last will, keep-alive."""

    def __init__(self, host, port, client_id, user, password, will_topic, will, on_message):
        self.on_message = on_message
        self.packet_id = 0
        self.sent_at = self.heard_at = ticks_ms()
        self.socket = socket.socket()
        try:
            self.socket.connect(socket.getaddrinfo(host, port)[0][-1])
            # For TLS: import ssl; self.socket = ssl.wrap_socket(self.socket, …) with the authority's certificate.
            self.poll = select.poll()
            self.poll.register(self.socket, select.POLLIN)
            flags = 0x02 | 0x04 | 0x08 | 0x20  # clean session; a will, QoS 1, retained
            if password:
                flags |= 0xC0
            body = text("MQTT") + bytes([4, flags]) + struct.pack("!H", KEEP_ALIVE_S)
            body += text(client_id) + text(will_topic) + text(will)
            if password:
                body += text(user) + text(password)
            self.write(0x10, body)
            kind, body = self.read(10000)
            if kind != 0x20 or body[1] != 0:
                raise LinkLost("refused, code %d: correct unit and password in unit.json" % body[1])
        except Exception:
            self.socket.close()
            raise

    def write(self, kind, body):
        length, head = len(body), bytearray([kind])
        while True:
            digit, length = length & 0x7F, length >> 7
            head.append(digit | (0x80 if length else 0))
            if not length:
                break
        rest = bytes(head) + body
        while rest:
            sent = self.socket.send(rest)
            rest = rest[sent:]
        self.sent_at = ticks_ms()

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise LinkLost("the server closed the connection")
            data += more
        return data

    def read(self, wait_ms):
        """One packet, or (0, b'') if none comes in time."""
        if not self.poll.poll(wait_ms):
            return 0, b""
        kind = self.exactly(1)[0]
        length, shift = 0, 0
        while True:
            digit = self.exactly(1)[0]
            length |= (digit & 0x7F) << shift
            if not digit & 0x80:
                break
            shift += 7
        self.heard_at = ticks_ms()
        return kind, self.exactly(length)

    def handle(self, wait_ms):
        """Reads what came. Gives the id of a PUBACK or SUBACK, or None."""
        kind, body = self.read(wait_ms)
        if kind & 0xF0 == 0x30:  # PUBLISH: a command
            size = struct.unpack("!H", body[:2])[0]
            payload = body[2 + size:]
            if kind & 0x06:
                self.write(0x40, payload[:2])
                payload = payload[2:]
            self.on_message(payload)
        elif kind in (0x40, 0x90):
            return struct.unpack("!H", body[:2])[0]
        elif kind == 0 and ticks_diff(ticks_ms(), self.sent_at) > KEEP_ALIVE_S * 500:
            self.write(0xC0, b"")  # PINGREQ
        if ticks_diff(ticks_ms(), self.heard_at) > KEEP_ALIVE_S * 1500:
            raise LinkLost("the server is silent")
        return None

    def ask(self, kind, head, body):
        """Sends with a packet id and waits for its acknowledgement."""
        self.packet_id = self.packet_id % 65535 + 1
        self.write(kind, head + struct.pack("!H", self.packet_id) + body)
        asked_at = ticks_ms()
        while self.handle(200) != self.packet_id:
            if ticks_diff(ticks_ms(), asked_at) > 20000:
                raise LinkLost("no acknowledgement")

    def subscribe(self, topic):
        self.ask(0x82, b"", text(topic) + b"\x01")

    def publish(self, topic, payload, retain):
        """Returns when PUBACK is here: from then on the message is the server's."""
        self.ask(0x33 if retain else 0x32, text(topic), payload.encode())

    def close(self):
        self.socket.close()


def text(words):
    data = words.encode()
    return struct.pack("!H", len(data)) + data


# begin: the essential part, shown in docs/protocol.md
class Unit:
    def __init__(self, settings):
        self.settings = settings
        self.root = "%s/%s/" % (settings.get("root", "buttonwatch/v1"), settings["unit"])
        self.boot = next_boot("boot.json")
        self.seq = -1
        self.waiting = []  # [kind, payload], oldest first; removed when PUBACK is here
        self.link = None
        self.done = []  # ids of commands whose work is done

    def put(self, kind, fields):
        """A new message: a new seq, always. It keeps its ts, boot and seq however late it is sent."""
        self.seq += 1
        message = {"ts": (int(time.time()) + EPOCH) * 1000, "boot": self.boot, "seq": self.seq}
        message.update(fields)
        entry = [kind, json.dumps(message)]
        if kind == "press":
            self.waiting.insert(0, entry)  # before everything else that waits
        else:
            self.waiting.append(entry)
        if len(self.waiting) > KEEP_AT_MOST:
            old = [e for e in self.waiting if e[0] == "heartbeat"] or self.waiting
            self.waiting.remove(old[0])

    def connect(self):
        s = self.settings
        will = json.dumps({"online": False, "reason": "link lost"})
        self.link = Mqtt(s["host"], s["port"], s["unit"], s["unit"], s.get("password"), self.root + "status", will,
                         self.on_command)
        self.link.subscribe(self.root + "command")  # again after every connect
        self.put("status", {"online": True, "reason": "connected"})

    def send(self):
        """Everything that waits, one after the other."""
        while self.waiting:
            entry = self.waiting[0]
            self.link.publish(self.root + entry[0], entry[1], entry[0] == "status")
            self.waiting.remove(entry)  # a command may have put another one in front meanwhile

    def on_command(self, payload):
        try:
            command = json.loads(payload)
            wanted, what = command["id"], command["do"]
        except (ValueError, KeyError, TypeError):
            return  # nobody could be answered
        if is_over(command.get("expires")):
            return
        if what not in ("selftest", "locate"):
            self.put("reply", {"id": wanted, "ok": False, "error": "%s is not known here" % what})
            return
        self.put("reply", {"id": wanted, "ok": True})
        if wanted in self.done:
            return  # QoS 1 may bring a command twice: reply again, work once
        self.done = self.done[-20:] + [wanted]
        if what == "selftest":
            self.put("selftest", {"id": wanted, "trigger": "command", "results": test(command.get("components"))})


def next_boot(path):
    """One more than last time, in flash before the first message is sent."""
    try:
        with open(path) as file:
            boot = json.load(file)["boot"] + 1
    except OSError:
        boot = 1
    with open(path + ".new", "w") as file:
        json.dump({"boot": boot}, file)
    os.rename(path + ".new", path)  # a power cut leaves the old file or the new one
    return boot
# end


def sensors():
    """Your pins and ADCs go here."""
    figures = {"pressed": False, "mains": True, "battery_v": 13.4, "temp_c": 31.0, "camera": "pass"}
    try:
        with open("sensors.json") as file:
            figures.update(json.load(file))
    except (OSError, ValueError):
        pass
    return figures


def test(components):
    results = {
        "camera": {"result": sensors()["camera"], "sharpness": 405.2, "luma": 121, "fps": 15, "mode": "day"},
        "microphone": {"result": "pass", "tone_snr_db": 22.0, "ambient_dbfs": -50.0},
        "speaker": {"result": "pass", "tone_snr_db": 25.0},
        "button": {"result": "pass", "stuck": False},
        "stream": {"result": "pass", "connect_ms": 900, "kbps": 800, "loss_pct": 0.4},
        "battery": {"result": "pass"},
    }
    return {name: results[name] for name in results if not components or name in components}


def is_over(expires):
    """RFC 3339 in UTC, as the server writes it. A clock that was never set lets nothing expire."""
    now = "%04d-%02d-%02dT%02d:%02d:%02d" % tuple(time.gmtime()[:6])
    return bool(expires) and now > "2026" and expires[:19] < now


def main():
    with open("unit.json") as file:
        unit = Unit(json.load(file))
    started = ticks_ms()
    beat_due, power_due, test_due = 0, 0, 24 * 3600
    was_pressed, was_mains = False, None
    try_at, wait_s = 0, 1
    unit.put("selftest", {"trigger": "boot", "results": test(None)})
    while True:
        up = ticks_diff(ticks_ms(), started) // 1000
        now = sensors()
        if now["pressed"] and not was_pressed:
            unit.put("press", {"kind": now.get("press_kind", "real"), "held_ms": 600})
        if up >= beat_due:
            beat_due = up + unit.settings.get("interval_s", 30)
            unit.put("heartbeat", {"uptime_s": up, "interval_s": unit.settings.get("interval_s", 30), "fw": "example-1",
                                   "temp_c": now["temp_c"]})
        if up >= power_due or now["mains"] != was_mains:
            power_due = up + 300
            unit.put("power", {"mains": now["mains"], "battery_v": now["battery_v"]})
        if up >= test_due:
            test_due = up + 24 * 3600
            unit.put("selftest", {"trigger": "schedule", "results": test(None)})
        was_pressed, was_mains = now["pressed"], now["mains"]
        try:
            if unit.link is None:
                if up < try_at:
                    sleep_ms(100)
                    continue
                unit.connect()
                wait_s = 1
            unit.send()
            unit.link.handle(100)
        except (OSError, LinkLost) as error:
            print("offline:", error)
            if unit.link is not None:
                unit.link.close()
                unit.link = None
            # The random part keeps a whole street from coming back at the same moment.
            try_at, wait_s = up + wait_s + ord(os.urandom(1)) % (wait_s + 1), min(wait_s * 2, 60)


main()
