#!/usr/bin/env python3
"""A unit in Python with paho-mqtt 2: for a Linux board, and to try a server without hardware.

    pip install paho-mqtt
    python3 unit_paho.py --unit PSH-001 --host 127.0.0.1 --port 1883 --password-file password.txt

It sends heartbeats, power, self-tests and presses, answers commands, keeps what it could not send, and sends it later.
Its figures come from the file sensors.json (see read_sensors): put your hardware there.
"""

import argparse
import json
import os
import queue
import random
import signal
import sys
import time
from collections import deque

import paho.mqtt.client as mqtt

ROOT = "buttonwatch/v1"
KEEP_AT_MOST = 5000  # messages that wait for the link: some hours
ON_THE_WAY = 10  # messages without PUBACK; the others wait in our own buffer, where we can choose what to drop


# begin: the essential part, shown in docs/protocol.md
class Unit:
    """The counters, and what waits to be sent."""

    def __init__(self, unit, state_file):
        self.unit = unit
        self.boot = self.next_boot(state_file)
        self.seq = -1
        self.waiting = deque()  # (kind, payload), oldest first
        self.on_the_way = {}  # paho's message id -> (kind, payload), until PUBACK

    @staticmethod
    def next_boot(path):
        """One more than last time, on the disk before the first message is sent."""
        try:
            with open(path) as file:
                boot = json.load(file)["boot"] + 1
        except FileNotFoundError:
            boot = 1
        with open(path + ".new", "w") as file:
            json.dump({"boot": boot}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)  # a power cut leaves the old file or the new one
        return boot

    def topic(self, kind):
        return f"{ROOT}/{self.unit}/{kind}"

    def put(self, kind, /, **fields):
        """A new message: a new seq, always. It keeps its ts, boot and seq however late it is sent."""
        self.seq += 1
        message = {"ts": int(time.time() * 1000), "boot": self.boot, "seq": self.seq, **fields}
        entry = (kind, json.dumps(message))
        if kind == "press":
            self.waiting.appendleft(entry)  # before everything else that waits
        else:
            self.waiting.append(entry)
        if len(self.waiting) > KEEP_AT_MOST:
            self.drop_one()

    def drop_one(self):
        """Heartbeats first, then power; presses and tests stay. A gap in seq tells the server how much was lost."""
        for kind in ("heartbeat", "power", "status"):
            for entry in self.waiting:
                if entry[0] == kind:
                    self.waiting.remove(entry)
                    return
        self.waiting.popleft()

    def send(self, client):
        """Hands over what waits. PUBACK is a promise: until it is here, the message is ours to keep."""
        while self.waiting and len(self.on_the_way) < ON_THE_WAY and client.is_connected():
            kind, payload = self.waiting.popleft()
            info = client.publish(self.topic(kind), payload, qos=1, retain=kind == "status")
            self.on_the_way[info.mid] = (kind, payload)

    def acknowledged(self, mid):
        self.on_the_way.pop(mid, None)
# end


def read_sensors(path):
    """Your hardware goes here. Without any: the file sensors.json, or a unit that is well."""
    figures = {
        "pressed": False, "mains": True, "mains_v": 229.5, "battery_v": 13.4, "charge_a": 0.1,
        "temp_c": 31.0, "rssi_dbm": -68, "camera": "pass",
    }
    try:
        with open(path) as file:
            figures.update(json.load(file))
    except (FileNotFoundError, ValueError):
        pass  # not there, or being written: the next look is soon
    return figures


def test_results(figures, components):
    """What the unit found when it tested its own parts."""
    results = {
        "camera": {"result": figures["camera"], "sharpness": 412.7, "luma": 118, "fps": 25, "mode": "day"},
        "microphone": {"result": "pass", "tone_snr_db": 24.5, "ambient_dbfs": -52.0},
        "speaker": {"result": "pass", "tone_snr_db": 27.0},
        "button": {"result": "pass", "stuck": False},
        "stream": {"result": "pass", "connect_ms": 640, "kbps": 1450, "loss_pct": 0.1},
        "battery": {"result": "pass"},
    }
    return {name: found for name, found in results.items() if not components or name in components}


class Program:
    def __init__(self, args):
        self.args = args
        self.unit = Unit(args.unit, args.state)
        self.started = time.monotonic()
        self.answered = deque(maxlen=50)  # ids of commands whose work is done: QoS 1 may bring one twice
        self.due = {"heartbeat": 0.0, "power": 0.0, "selftest": 24 * 3600.0}
        self.was = {"mains": None, "pressed": False}
        self.reboot = False
        self.inbox = queue.SimpleQueue()  # paho calls us on a thread of its own: everything is done on ours
        self.client = self.make_client()

    def make_client(self):
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=self.args.unit)
        if self.args.password_file:
            with open(self.args.password_file) as file:
                client.username_pw_set(self.args.unit, file.readline().strip())
        if self.args.tls_ca:
            client.tls_set(ca_certs=self.args.tls_ca)
        will = json.dumps({"online": False, "reason": "link lost"})
        client.will_set(self.unit.topic("status"), will, qos=1, retain=True)
        # A whole street comes back from a power cut at once: each waits for a time of its own.
        client.reconnect_delay_set(min_delay=1, max_delay=random.randint(30, 60))
        client.on_connect = self.on_connect
        client.on_message = lambda _client, _data, message: self.inbox.put((self.on_command, message.payload))
        client.on_publish = lambda _client, _data, mid, _reason, _properties: self.inbox.put((self.unit.acknowledged, mid))
        return client

    def on_connect(self, client, _data, _flags, reason, _properties):
        if reason.is_failure:
            print(f"the server says: {reason}; correct the unit's id or password", file=sys.stderr)
            return
        client.subscribe(self.unit.topic("command"), qos=1)  # again after every connect
        self.inbox.put((self.on_connected, None))

    def on_connected(self, _):
        self.unit.put("status", online=True, reason="connected")

    def on_command(self, payload):
        try:
            command = json.loads(payload)
            wanted, what = command["id"], command["do"]
        except (ValueError, KeyError, TypeError):
            return  # nobody could be answered
        if is_over(command.get("expires")):
            return
        if what not in ("selftest", "locate", "reboot"):
            self.unit.put("reply", id=wanted, ok=False, error=f"{what} is not known here")
            return
        self.unit.put("reply", id=wanted, ok=True)
        if wanted in self.answered:
            return
        self.answered.append(wanted)
        if what == "selftest":
            self.self_test("command", command.get("components"), id=wanted)
        elif what == "locate":
            print("flash and beep for a minute", file=sys.stderr)
        else:
            self.reboot = True  # after the reply is acknowledged

    def self_test(self, trigger, components=None, **fields):
        results = test_results(read_sensors(self.args.sensors), components)
        self.unit.put("selftest", trigger=trigger, results=results, **fields)

    def look(self):
        """Called often: what is due, and what changed."""
        now = time.monotonic() - self.started
        figures = read_sensors(self.args.sensors)
        if figures["pressed"] and not self.was["pressed"]:
            self.unit.put("press", kind=figures.get("press_kind", "real"), held_ms=600)
        if now >= self.due["heartbeat"]:
            self.due["heartbeat"] = now + self.args.interval
            self.unit.put("heartbeat", uptime_s=int(now), interval_s=self.args.interval, fw="example-1",
                          temp_c=figures["temp_c"], rssi_dbm=figures["rssi_dbm"])
        if now >= self.due["power"] or figures["mains"] != self.was["mains"]:
            self.due["power"] = now + 300
            self.unit.put("power", mains=figures["mains"], mains_v=figures["mains_v"],
                          battery_v=figures["battery_v"], charge_a=figures["charge_a"])
        if now >= self.due["selftest"]:
            self.due["selftest"] = now + 24 * 3600
            self.self_test("schedule")
        self.was = {"mains": figures["mains"], "pressed": figures["pressed"]}

    def run(self):
        self.self_test("boot")
        self.client.connect_async(self.args.host, self.args.port, keepalive=30)
        self.client.loop_start()
        while not self.reboot or self.unit.waiting or self.unit.on_the_way:
            self.look()
            self.unit.send(self.client)
            try:
                do, what = self.inbox.get(timeout=0.1)
                do(what)
            except queue.Empty:
                pass
        self.client.disconnect()
        self.client.loop_stop()
        os.execv(sys.executable, [sys.executable] + sys.argv)  # a real unit switches itself off and on

    def stop(self):
        """On purpose: say so, then go."""
        reason = json.dumps({"online": False, "reason": "switched off"})
        if self.client.is_connected():
            self.client.publish(self.unit.topic("status"), reason, qos=1, retain=True).wait_for_publish(5)
        self.client.disconnect()


def is_over(expires):
    """RFC 3339 in UTC, as the server writes it. A clock that was never set lets nothing expire."""
    if not expires:
        return False
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return now > "2026" and expires[:19] < now


def main():
    parser = argparse.ArgumentParser(description="A Buttonwatch unit, for trying things out.")
    parser.add_argument("--unit", required=True, help="its id, as in fleet.csv")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--password-file", help="its first line is the password")
    parser.add_argument("--tls-ca", help="PEM of the authority to trust: turns TLS on")
    parser.add_argument("--interval", type=int, default=30, help="seconds between two heartbeats")
    parser.add_argument("--state", default="unit-state.json", help="keeps the boot counter")
    parser.add_argument("--sensors", default="sensors.json", help="what the hardware would say")
    program = Program(parser.parse_args())

    def ask_to_stop(_signal, _frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, ask_to_stop)
    try:
        program.run()
    except KeyboardInterrupt:
        program.stop()


if __name__ == "__main__":
    main()
