"""Real Glance in one process: makes its database when there is none, then serves until its standard input ends.

usage: /usr/bin/python3 glance_in_one_process.py FOLDER [--remove]

FOLDER has glance-api.conf and glance-api-paste.ini. Who started us holds the other end of standard input: at its end we
end, however that one ended, and with --remove the folder goes too. The tables are those of Glance's models, which takes
a second less than its migrations.
"""
import os
import shutil
import sys
import threading

FOLDER, REMOVE = sys.argv[1], '--remove' in sys.argv[2:]
sys.argv[1:] = ['--config-file', f'{FOLDER}/glance-api.conf']


def end_with_our_parent():
    sys.stdin.buffer.read()
    if REMOVE:
        shutil.rmtree(FOLDER, ignore_errors=True)
    os._exit(0)


# A real thread: Glance's import below makes green ones of those that come later.
threading.Thread(target=end_with_our_parent, daemon=True).start()

from glance.cmd import api  # noqa: E402
from glance.common import config  # noqa: E402
from glance.db.sqlalchemy import api as database  # noqa: E402
from glance.db.sqlalchemy import models  # noqa: E402


def believed_tokens(_global_conf, **_local_conf):
    """A filter for deployments without Keystone: the token `user:project` is believed, as Nova's noauth2 does, and
    whoever calls himself admin is one."""
    def filtered(app):
        def handle(environ, start_response):
            user, colon, project = environ.get('HTTP_X_AUTH_TOKEN', '').partition(':')
            environ['HTTP_X_IDENTITY_STATUS'] = 'Confirmed' if colon else 'Invalid'
            environ['HTTP_X_USER_ID'] = user
            environ['HTTP_X_PROJECT_ID'] = project
            environ['HTTP_X_ROLES'] = 'admin,member,reader' if user == 'admin' else 'member,reader'
            return app(environ, start_response)
        return handle
    return filtered


def main():
    config.parse_args()
    if not os.path.exists(f'{FOLDER}/glance.sqlite'):
        models.register_models(database.get_engine())
    api.main()


if __name__ == '__main__':
    main()
