#!/usr/bin/env python3
"""Writes golden-frames.json: frames made by oslo.messaging itself, without a broker.

The library's own client, driver base, incoming message and kombu serializer do the work; only the connection is
replaced, by one that notes what it is given. Ids are counted instead of random, so that a second run writes the same.

usage: /usr/bin/python3 make-golden-frames.py > golden-frames.json     (Debian: python3-oslo.messaging)
"""
import contextlib
import json
import sys
import uuid

import kombu.serialization
import oslo_messaging
from oslo_config import cfg
from oslo_messaging._drivers import amqpdriver
from oslo_messaging.rpc import dispatcher

cfg.CONF([], project='golden')
counter = iter(range(1, 1000))
uuid.uuid4 = lambda: uuid.UUID(int=next(counter), version=4)


class Noted:
    """Stands where the AMQP connection would: keeps what is to be sent, encoded as kombu encodes it."""

    def __init__(self):
        self.sent = []

    def _note(self, exchange, routing_key, msg, timeout=None):
        content_type, content_encoding, body = kombu.serialization.dumps(msg, serializer='json')
        body = body.encode() if isinstance(body, str) else body
        self.sent.append({
            'exchange': exchange, 'routingKey': routing_key, 'contentType': content_type,
            'contentEncoding': content_encoding, 'expirationS': timeout, 'body': body.decode('utf-8')})

    def topic_send(self, exchange_name, topic, msg, timeout=None, retry=None, transport_options=None):
        self._note(exchange_name, topic, msg, timeout)

    def fanout_send(self, topic, msg, retry=None):
        self._note('%s_fanout' % topic, '', msg)

    def direct_send(self, msg_id, msg):
        self._note('', msg_id, msg)


noted = Noted()


class NoWaiter:
    def listen(self, msg_id): pass
    def unlisten(self, msg_id): pass
    def wait(self, msg_id, timeout, call_monitor_timeout): return None


class Driver(amqpdriver.AMQPDriverBase):
    """The real _send of the RabbitMQ driver, on the connection above."""

    def __init__(self):
        self.conf = cfg.CONF
        self._default_exchange = 'nova'
        self._waiter = NoWaiter()
        self.missing_destination_retry_timeout = 0

    @contextlib.contextmanager
    def _get_connection(self, purpose=None, retry=None):
        yield noted

    def _get_reply_q(self):
        return 'reply_00000000000040008000000000000fff'

    def require_features(self, requeue=True): pass
    def cleanup(self): pass


driver = Driver()
transport = oslo_messaging.transport.RPCTransport(driver)


def client(version='1.0', **target):
    return oslo_messaging.RPCClient(
        transport, oslo_messaging.Target(topic='compute', exchange='nova', version=version, **target), timeout=10)


# What a TypeScript client sends of a context, and all that Nova's own RequestContext sends.
OURS = {'request_id': 'req-3f3d4535-ea4a-4921-8f18-e8632050cb57', 'user_id': None, 'project_id': None,
        'is_admin': True, 'roles': [], 'read_deleted': 'no', 'timestamp': None}
NOVA = {'user': 'u1', 'user_id': 'u1', 'project': 'p1', 'project_id': 'p1', 'domain': None, 'user_domain': 'default',
        'project_domain': 'default', 'system_scope': None, 'is_admin': False, 'is_admin_project': True,
        'read_only': False, 'show_deleted': False, 'read_deleted': 'no', 'auth_token': None,
        'request_id': 'req-4286a73e-e533-48a0-a854-07dc110635e8', 'global_request_id': None, 'resource_uuid': None,
        'roles': ['member', 'reader'], 'user_identity': 'u1 p1 - default default', 'user_name': 'demo',
        'project_name': 'demo', 'remote_address': '127.0.0.1', 'timestamp': '2026-11-22T16:03:00.123456',
        'quota_class': None, 'service_catalog': []}

frames = []


def request(name, send, context=OURS):
    noted.sent.clear()
    send(context)
    frames.append({'name': name, 'kind': 'request', 'context': 'ours' if context is OURS else 'nova', **noted.sent[0]})


request('cast to a host', lambda c: client().prepare(server='host-1').cast(
    c, 'extend_volume', volume='5a6f2a4e-0f3e-4a6b-9d43-0e8f7a3c1b2d', wantedBytes=2 ** 40))
request('cast to any server', lambda c: client().cast(c, 'hint'))
request('fanout', lambda c: client(fanout=True).cast(c, 'hint'))
request('call', lambda c: client().prepare(server='host-1').call(c, 'ping'))
request('call with a call monitor', lambda c: client().prepare(server='host-1', call_monitor_timeout=4).call(c, 'ping'))
request('cast with a namespace', lambda c: client(namespace='compute_task').cast(c, 'hint'))
request('cast of text beyond ASCII', lambda c: client().prepare(server='host-1').cast(
    c, 'set_name', name='gr\u00fc\u00dfe \u2603 \U0001f600 "\\\n\u0000', nested={'list': [1, 2.5, None, True], 'empty': {}}))
request('cast with the whole context of Nova',
        lambda c: client('6.0').prepare(server='host-1').cast(c, 'external_instance_event', instances=[], events=[]), NOVA)


class Listener:
    """What an incoming message asks of its listener when it replies."""
    driver = driver


def reply(name, **answer):
    noted.sent.clear()
    message = amqpdriver.AMQPIncomingMessage(
        Listener(), {}, {}, '1' * 32, '2' * 32, 'reply_00000000000040008000000000000fff', None,
        amqpdriver.ObsoleteReplyQueuesCache(), None)
    if answer.pop('heartbeat', False):
        message.heartbeat()
    else:
        message.reply(**answer)
    frames.append({'name': name, 'kind': 'reply', **noted.sent[0]})


def raised(error):
    try:
        raise error
    except Exception:
        return (type(error), error, None)


class VolumeNotFound(Exception):
    """As Nova's exceptions are: format fields and code in kwargs, the final message as its argument."""

    def __init__(self, message=None, **kwargs):
        self.kwargs = {**kwargs, 'code': 404}
        super().__init__(message or 'Volume %(volume_id)s could not be found.' % kwargs)


VolumeNotFound.__module__ = 'nova.exception'

reply('result', reply={'host': 'host-1', 'uptimeS': 12.5})
reply('null result', reply=None)
reply('false as the result', reply=False)
reply('sign of life', heartbeat=True)
reply('failure of Nova', failure=raised(VolumeNotFound(volume_id='v1')))
reply('failure of Python', failure=raised(ValueError('bad value')))
reply('no such method', failure=raised(dispatcher.NoSuchMethod('shrink')))
reply('unsupported version', failure=raised(dispatcher.UnsupportedVersion('9.0', method='ping')))

json.dump(frames, sys.stdout, indent=1, ensure_ascii=True, sort_keys=True)
print()
