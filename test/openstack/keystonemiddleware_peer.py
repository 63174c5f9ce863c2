"""OpenStack's own keystonemiddleware before an application that says whom it was told of.

usage: /usr/bin/python3 keystonemiddleware_peer.py AUTH_URL PROJECT_ID SERVICE_ROLES_REQUIRED

Prints its port. Ends with its standard input.
"""
import json
import os
import socket
import sys
import threading

AUTH_URL, PROJECT_ID, REQUIRED = sys.argv[1:]
del sys.argv[1:]  # oslo.config reads them
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()

import eventlet  # noqa: E402
import eventlet.wsgi  # noqa: E402
from keystonemiddleware import auth_token  # noqa: E402

SAID = {
    'userId': 'HTTP_X_USER_ID',
    'userDomainId': 'HTTP_X_USER_DOMAIN_ID',
    'projectId': 'HTTP_X_PROJECT_ID',
    'projectDomainId': 'HTTP_X_PROJECT_DOMAIN_ID',
    'domainId': 'HTTP_X_DOMAIN_ID',
}


def application(environ, start_response):
    def roles(name):
        return sorted({role for role in environ.get(name, '').split(',') if role})
    # A header that was set to nothing arrives as the word None.
    said = {name: environ[header] if environ.get(header) not in (None, 'None') else None
            for name, header in SAID.items()}
    said['roles'] = roles('HTTP_X_ROLES')
    said['serviceRoles'] = roles('HTTP_X_SERVICE_ROLES')
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps(said).encode()]


listening = eventlet.listen(('127.0.0.1', 0))
port = listening.getsockname()[1]
guarded = auth_token.AuthProtocol(application, {
    'www_authenticate_uri': 'http://identity.example/v3',
    'auth_type': 'password',
    'auth_url': AUTH_URL,
    'username': 'nova',
    'password': 'secret',
    'user_domain_id': 'default',
    'project_id': PROJECT_ID,
    'service_type': 'compute',
    'service_token_roles': 'service',
    'service_token_roles_required': REQUIRED,
    'interface': 'internal',
    'http_request_max_retries': 0,
})
print(port, flush=True)
eventlet.wsgi.server(listening, guarded, log_output=False)
