"""The `openstack` command many times: its modules are loaded once, and each command runs in a process forked from that.

usage: /usr/bin/python3 openstack_commands.py

Reads a line of JSON for each command: {"id": 1, "arguments": ["volume", "list"], "environment": {"OS_...": ...}}.
Writes a line for each that has ended, in the order of their ends: {"id": 1, "code": 0, "stdout": "", "stderr": ""}.
Commands run side by side. At the end of standard input it ends what still runs, and itself.
"""
import json
import os
import selectors
import signal
import sys
import tempfile

sys.argv = ['openstack']  # the name in messages

from openstackclient import shell  # noqa: E402


def load_commands():
    """What a command would load before it asks anything: the clients, and the table of all commands."""
    import cinderclient.v3.client  # noqa: F401
    import glanceclient.v2.client  # noqa: F401
    import keystoneauth1.loading  # noqa: F401
    import novaclient.client  # noqa: F401
    import openstack.connection  # noqa: F401
    import openstackclient.compute.v2.server  # noqa: F401
    import openstackclient.volume.v2.volume  # noqa: F401
    import openstackclient.volume.v3.volume_attachment  # noqa: F401
    shell.OpenStackShell()


def run(command, stdout, stderr):
    """In the child: never returns."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(stdout.fileno(), 1)
        os.dup2(stderr.fileno(), 2)
        for name in [name for name in os.environ if name.startswith('OS_')]:
            del os.environ[name]
        os.environ.update(command['environment'])
        code = shell.main(command['arguments'])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


def text_of(file):
    with file:
        file.seek(0)
        return file.read().decode(errors='replace')


def main():
    load_commands()
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(ended, selectors.EVENT_READ)
    running = {}
    unread = b''
    while True:
        for key, _ in selector.select():
            read = os.read(key.fd, 65536)
            if key.fd == ended:
                continue
            if read == b'':
                for pid in running:
                    os.kill(pid, signal.SIGKILL)
                return
            *lines, unread = (unread + read).split(b'\n')
            for line in lines:
                command = json.loads(line)
                files = tempfile.TemporaryFile(), tempfile.TemporaryFile()
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    run(command, *files)
                running[pid] = command['id'], files
        for pid in list(running):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done == 0:
                continue
            number, (stdout, stderr) = running.pop(pid)
            answer = {'id': number, 'code': os.waitstatus_to_exitcode(status),
                      'stdout': text_of(stdout), 'stderr': text_of(stderr)}
            sys.stdout.write(json.dumps(answer) + '\n')
            sys.stdout.flush()


main()
