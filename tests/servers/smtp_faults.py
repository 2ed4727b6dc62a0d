"""An SMTP server that misbehaves on request (aiosmtpd). Prints one JSON object a line: first its port, then what came.

    smtp_faults.py MODE [--tls starttls|implicit --cert PEM --key PEM] [--login USER:PASSWORD]

MODE: accept, temporary (451 to the text), greylist (450 to RCPT), refuse (554 to the text), no-user (550 to every RCPT),
no-bilal (550 to RCPT of bilal@ only), drop-in-data (closes after DATA), hang-in-data, hang-at-once, drop-idle (closes
after each mail).
"""
import argparse
import asyncio
import json
import ssl

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, syntax


def say(**facts):
    print(json.dumps(facts), flush=True)


class Handler:
    def __init__(self, mode):
        self.mode = mode

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.mode == "greylist":
            return "450 4.7.1 greylisted, come again"
        if self.mode == "no-user" or (self.mode == "no-bilal" and address.startswith("bilal@")):
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.mode == "temporary":
            return "451 4.3.0 disk is full, try later"
        if self.mode == "refuse":
            return "554 5.7.1 looks like spam"
        say(event="mail", to=envelope.rcpt_tos, text=envelope.original_content.decode("ascii"),
            connection=id(server), encrypted=session.ssl is not None, login=session.authenticated)
        if self.mode == "drop-idle":
            asyncio.get_running_loop().call_later(0.01, server.transport.close)
        return "250 OK"


class Faulty(SMTP):
    def connection_made(self, transport):
        say(event="connection")
        if self.event_handler.mode == "hang-at-once":
            self.transport = transport
            return
        super().connection_made(transport)

    def data_received(self, data):
        if self.event_handler.mode != "hang-at-once":
            super().data_received(data)

    def connection_lost(self, error):
        say(event="closed")
        if self.event_handler.mode != "hang-at-once":
            super().connection_lost(error)

    @syntax("DATA")
    async def smtp_DATA(self, arg):
        mode = self.event_handler.mode
        if mode in ("drop-in-data", "hang-in-data"):
            await self.push("354 go on")
            say(event=mode)
            line = await self._reader.readline()
            while line.strip() and not line.lower().startswith(b"message-id"):
                line = await self._reader.readline()
            say(event="header", line=line.decode("ascii").strip())
            if mode == "drop-in-data":
                self.transport.abort()
                return
            await asyncio.sleep(3600)
        await super().smtp_DATA(arg)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
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

    def connection():
        return Faulty(
            Handler(args.mode),
            hostname="localhost",
            tls_context=context if args.tls == "starttls" else None,
            require_starttls=args.tls == "starttls",
            authenticator=authenticate if args.login else None,
            auth_required=bool(args.login),
            auth_require_tls=args.tls == "starttls",
        )

    implicit = context if args.tls == "implicit" else None
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0, ssl=implicit)
    say(event="port", port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
