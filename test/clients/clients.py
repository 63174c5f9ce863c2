"""OpenStack's own clients, one command after the other: to start one by itself costs two seconds of imports.

usage: /usr/bin/python3 clients.py      with OS_* in the environment

A line of JSON comes in for each command, and one goes out: {"client": "openstack" | "nova" | "cinder", "argv": [...]} is
answered with {"code", "out", "err"}, {"client": "sdk", "expression": "..."} with {"value"} or {"err"}; in the expression
`cloud` is the connection.
"""
import contextlib
import io
import json
import logging
import os
import sys
import traceback
import warnings

warnings.simplefilter('ignore')

import openstack  # noqa: E402
from cinderclient.shell import OpenStackCinderShell  # noqa: E402
from novaclient.shell import OpenStackComputeShell  # noqa: E402
from openstackclient.compute import client as compute  # noqa: E402
from openstackclient.shell import OpenStackShell  # noqa: E402
from openstackclient.volume import client as volume  # noqa: E402

SHELLS = {
    'openstack': lambda argv: OpenStackShell().run(argv),
    'nova': lambda argv: OpenStackComputeShell().main(argv),
    'cinder': lambda argv: OpenStackCinderShell().main(argv),
}


def run(shell, argv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = shell(argv)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except Exception:
            traceback.print_exc()
            code = 1
    return {'code': code or 0, 'out': out.getvalue(), 'err': err.getvalue()}


def quieten():
    """Without any handler, whoever logs first would install one that writes to our own stderr."""
    logging.getLogger().handlers[:] = [logging.NullHandler()]


def warm_up():
    """Most of what a command does before its own work, once. What it leaves behind is taken away again."""
    run(SHELLS['openstack'], ['token', 'issue'])
    compute._compute_api_version = None
    volume._volume_api_version = None
    quieten()


def evaluate(cloud, expression):
    try:
        return {'value': eval(expression, {'cloud': cloud, 'openstack': openstack})}
    except Exception:
        return {'err': traceback.format_exc()}


def plain(value):
    return value.to_dict() if hasattr(value, 'to_dict') else str(value)


def main():
    answers = os.fdopen(os.dup(1), 'w')

    def answer(value):
        print(json.dumps(value, default=plain), file=answers, flush=True)

    quieten()
    cloud = openstack.connect()
    warm_up()
    answer('ready')
    for line in sys.stdin:
        asked = json.loads(line)
        if asked['client'] == 'sdk':
            answer(evaluate(cloud, asked['expression']))
            continue
        # A process for each command, as elsewhere: their modules remember what they were asked before.
        child = os.fork()
        if child == 0:
            answer(run(SHELLS[asked['client']], asked['argv']))
            os._exit(0)
        os.waitpid(child, 0)


main()
