"""Real Keystone in one process: makes its database when there is none, then serves until its standard input ends.

usage: /usr/bin/python3 keystone_in_one_process.py FOLDER PORT [--remove]

FOLDER has keystone.conf. Who started us holds the other end of standard input: at its end we end, however that one
ended, and with --remove the folder goes too. Keystone's own tools would do the same in three processes, each of which
spends two seconds on imports.
"""
import os
import shutil
import sys
import threading

FOLDER, PORT, REMOVE = sys.argv[1], int(sys.argv[2]), '--remove' in sys.argv[3:]
del sys.argv[1:]  # oslo.config reads them


def end_with_our_parent():
    sys.stdin.buffer.read()
    if REMOVE:
        shutil.rmtree(FOLDER, ignore_errors=True)
    os._exit(0)


threading.Thread(target=end_with_our_parent, daemon=True).start()

import eventlet  # noqa: E402
import eventlet.wsgi  # noqa: E402
import keystone.conf  # noqa: E402
import keystone.server  # noqa: E402
from keystone.cmd import bootstrap  # noqa: E402
from keystone.common import fernet_utils  # noqa: E402
from keystone.common.sql import upgrades  # noqa: E402
from keystone.server import backends  # noqa: E402
from keystone.server.flask import application, core  # noqa: E402


def make_cloud():
    """As `keystone-manage db_sync`, `fernet_setup` and `bootstrap`, with the two roles that newer releases add."""
    upgrades.offline_sync_database_to_version()
    keys = keystone.conf.CONF.fernet_tokens
    os.makedirs(keys.key_repository, mode=0o700)
    fernet_utils.FernetUtils(keys.key_repository, keys.max_active_keys, 'fernet_tokens').initialize_key_repository()
    url = f'http://127.0.0.1:{PORT}/v3'
    cloud = bootstrap.Bootstrapper()
    cloud.admin_username = cloud.project_name = cloud.admin_role_name = 'admin'
    cloud.admin_password = 'secret'
    cloud.service_name = 'keystone'
    cloud.public_url = cloud.internal_url = cloud.admin_url = url
    cloud.region_id = 'RegionOne'
    cloud.bootstrap()
    cloud._ensure_role_exists('service')
    manager = cloud._ensure_role_exists('manager')['id']
    cloud._ensure_implied_role(manager, cloud.member_role_id)
    cloud._ensure_implied_role(cloud.admin_role_id, manager)


def main():
    is_new = not os.path.exists(f'{FOLDER}/keystone.sqlite')
    keystone.server.configure(config_files=[f'{FOLDER}/keystone.conf'])
    if is_new:
        make_cloud()
    else:
        backends.load_backends()
    app = core.setup_app_middleware(application.application_factory('public'))
    # Nothing is patched: connections are kept and read side by side, and one request at a time is worked on.
    eventlet.wsgi.server(eventlet.listen(('127.0.0.1', PORT)), app, log_output=False)


main()
