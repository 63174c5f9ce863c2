#!/usr/bin/python3
"""A real oslo.messaging program, as server or as client, for oslo-messaging.int-spec.ts.

    oslo-peer.py serve URL HOST   serves topic `compute` on HOST; prints `ready`, then each cast's argument
    oslo-peer.py call URL HOST    plays each case once; prints one JSON object per case
URL is rabbit://user:password@host:port/. Ends at the end of its standard input.
"""
import json
import logging
import sys
import tempfile
import threading

import oslo_messaging
from oslo_config import cfg

SETTINGS = """[oslo_messaging_rabbit]
rabbit_quorum_queue = true
"""


def say(value):
    print(json.dumps(value), flush=True)


class Endpoint:
    target = oslo_messaging.Target(version="1.0")

    def ping(self, context, text):
        return {"text": text + "!", "requestId": context.get("request_id")}

    def act(self, context, n):
        say({"act": n})

    def refuse(self, context):
        raise ValueError("not like this")

    def slow(self, context, seconds):
        threading.Event().wait(seconds)
        return {"text": "slow"}


def transport(url):
    # The library's metrics look for their options in the global configuration.
    conf = cfg.CONF
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(SETTINGS)
        file.flush()
        conf(["--config-file", file.name], project="oslo-peer")
    return oslo_messaging.get_rpc_transport(conf, url)


def serve(url, host):
    target = oslo_messaging.Target(exchange="nova", topic="compute", server=host)
    server = oslo_messaging.get_rpc_server(transport(url), target, [Endpoint()], executor="threading")
    server.start()
    say("ready")
    sys.stdin.read()
    server.stop()
    server.wait()


def outcome(run):
    try:
        return {"result": run()}
    except oslo_messaging.RemoteError as error:
        return {"error": error.exc_type, "message": error.value}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}


def call(url, host):
    target = oslo_messaging.Target(exchange="nova", topic="compute", server=host, version="1.0")
    client = oslo_messaging.get_rpc_client(transport(url), target, timeout=20)
    context = {"request_id": "req-11111111-1111-1111-1111-111111111111"}
    # No sign of life within five seconds would end the slow call, which takes longer.
    monitored = client.prepare(call_monitor_timeout=5)
    cases = {
        "ping": lambda: client.call(context, "ping", text="grüße \U0001f600"),
        "act": lambda: client.cast(context, "act", n=7),
        "refuse": lambda: client.call(context, "refuse"),
        "no such method": lambda: client.call(context, "nothing"),
        "later version": lambda: client.prepare(version="9.0").call(context, "ping", text=""),
        "wrong argument": lambda: client.call(context, "act", n="seven"),
        "slow": lambda: monitored.call(context, "slow", seconds=7),
    }
    for name, run in cases.items():
        say({"case": name, **outcome(run)})


if __name__ == "__main__":
    # What goes wrong in a case is what the case is for.
    logging.disable(logging.CRITICAL)
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
