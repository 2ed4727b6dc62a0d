"""An SMTP server that misbehaves on request (aiosmtpd). Prints one JSON object a line: first its port, then what came.

    smtp_faults.py MODE [--port PORT] [--keep FILE] [--tls starttls|implicit --cert PEM --key PEM] [--login USER:PASSWORD]

MODE, one or several words: accept, temporary (451 to the text), greylist (450 to RCPT), refuse (554 to the text), no-user
(550 to every RCPT), no-NAME (550 to RCPT of NAME@ only), greylist-NAME (450 to RCPT of NAME@ only), drop-in-data (closes
after DATA), hang-in-data, hang-at-once, drop-idle (closes after each mail).

A line on stdin changes it while it runs: {"mode": "temporary no-gone", "hold": "rcpt"}. At the step of `hold`, the next
mail stands still until its sender hangs up: connect, ehlo, mail, rcpt (the first), rcpt2, data, text (the text is half
here), end (it is all here, and not answered yet). `answered` holds nothing: it tells of the answer. Either way one line says
{"event": "held", "step": ...}.

--keep FILE: every mail that was accepted, one JSON object a line, on the disk before it is answered.
"""
import argparse
import asyncio
import email
import json
import os
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, syntax

REAL_ONES = ("accept", "temporary", "greylist", "refuse", "no-user", "drop-in-data", "hang-in-data", "hang-at-once",
             "drop-idle")


def say(**facts):
    print(json.dumps(facts), flush=True)


class Behaviour:
    """What counts now, for every connection."""

    def __init__(self, mode, keep):
        self.words = mode.split()
        self.hold = None
        self.keep = open(keep, "a") if keep else None

    def has(self, word):
        return word in self.words

    def about(self, address, prefix):
        return any(w.startswith(prefix) and w not in REAL_ONES and address.startswith(w[len(prefix):] + "@")
                   for w in self.words)

    async def step(self, name):
        if self.hold != name:
            return
        self.hold = None
        say(event="held", step=name)
        if name != "answered":
            # Until the sender is gone: aiosmtpd cancels what a lost connection was doing.
            await asyncio.sleep(3600)

    def accepted(self, envelope):
        if self.keep:
            mail = email.message_from_bytes(envelope.original_content)
            kept = {"id": mail["Message-ID"], "to": mail["To"], "envelope": envelope.rcpt_tos}
            self.keep.write(json.dumps(kept) + "\n")
            self.keep.flush()
            os.fsync(self.keep.fileno())


class Handler:
    def __init__(self, behaviour):
        self.behaviour = behaviour

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        await self.behaviour.step("ehlo")
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        await self.behaviour.step("mail")
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        b = self.behaviour
        await b.step("rcpt")
        if envelope.rcpt_tos:
            await b.step("rcpt2")
        if b.has("greylist") or b.about(address, "greylist-"):
            return "450 4.7.1 greylisted, come again"
        if b.has("no-user") or b.about(address, "no-"):
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        b = self.behaviour
        await b.step("end")
        if b.has("temporary"):
            return "451 4.3.0 disk is full, try later"
        if b.has("refuse"):
            return "554 5.7.1 looks like spam"
        b.accepted(envelope)
        say(event="mail", to=envelope.rcpt_tos, text=envelope.original_content.decode("ascii"),
            connection=id(server), encrypted=session.ssl is not None, login=session.authenticated)
        if b.has("drop-idle"):
            asyncio.get_running_loop().call_later(0.01, server.transport.close)
        if b.hold == "answered":
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(b.step("answered")))
        return "250 OK"


class Faulty(SMTP):
    def connection_made(self, transport):
        say(event="connection")
        b = self.event_handler.behaviour
        self.hangs = b.has("hang-at-once") or b.hold == "connect"
        if b.hold == "connect":
            b.hold = None
            say(event="held", step="connect")
        if self.hangs:
            self.transport = transport
            return
        super().connection_made(transport)

    def data_received(self, data):
        if not self.hangs:
            super().data_received(data)

    def eof_received(self):
        return None if self.hangs else super().eof_received()

    def connection_lost(self, error):
        say(event="closed")
        if not self.hangs:
            super().connection_lost(error)

    @syntax("DATA")
    async def smtp_DATA(self, arg):
        b = self.event_handler.behaviour
        await b.step("data")
        fault = next((w for w in ("drop-in-data", "hang-in-data") if b.has(w)), None)
        if fault or b.hold == "text":
            await self.push("354 go on")
            if fault:
                say(event=fault)
            line = await self._reader.readline()
            while line.strip() and not line.lower().startswith(b"message-id"):
                line = await self._reader.readline()
            say(event="header", line=line.decode("ascii").strip())
            if fault == "drop-in-data":
                self.transport.abort()
                return
            await b.step("text")
            await asyncio.sleep(3600)
        await super().smtp_DATA(arg)


def follow(stdin, loop, behaviour):
    def take(told):
        behaviour.words = told["mode"].split()
        behaviour.hold = told["hold"]
        say(event="told")

    for line in stdin:
        loop.call_soon_threadsafe(take, json.loads(line))


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--keep")
    parser.add_argument("--tls", choices=["starttls", "implicit"])
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--login")
    args = parser.parse_args()

    context = None
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)

    def authenticate(server, session, envelope, mechanism, data):
        assert isinstance(data, LoginPassword)
        return AuthResult(success=f"{data.login.decode()}:{data.password.decode()}" == args.login, handled=False)

    behaviour = Behaviour(args.mode, args.keep)

    def connection():
        return Faulty(
            Handler(behaviour),
            hostname="localhost",
            tls_context=context if args.tls == "starttls" else None,
            require_starttls=args.tls == "starttls",
            authenticator=authenticate if args.login else None,
            auth_required=bool(args.login),
            auth_require_tls=args.tls == "starttls",
        )

    loop = asyncio.get_running_loop()
    implicit = context if args.tls == "implicit" else None
    server = await loop.create_server(connection, "127.0.0.1", args.port, ssl=implicit, reuse_address=True)
    threading.Thread(target=follow, args=(sys.stdin, loop, behaviour), daemon=True).start()
    say(event="port", port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
