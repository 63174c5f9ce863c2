"""Real Cinder's three services (API, scheduler, one volume service per back end) in one process.

usage: /usr/bin/python3 cinder_in_one_process.py --config-file cinder.conf

For tests: with transport_url = fake:// the services talk in memory, so no broker is needed. The database is brought up to
date first, as `cinder-manage db sync` would in a process of its own.
"""
import eventlet
eventlet.monkey_patch()

# As in cinder.cmd: the threading module that was imported before the patch must know the patched one's threads.
import __original_module_threading as original_threading  # noqa: E402
import threading  # noqa: E402
original_threading.current_thread.__globals__['_active'] = threading._active

import sys  # noqa: E402

from cinder import objects  # noqa: E402
from cinder import rpc  # noqa: E402
from cinder import service  # noqa: E402
from cinder import version  # noqa: E402
from cinder.common import config  # noqa: E402,F401  registers the options
from cinder.db import migration  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_log import log as logging  # noqa: E402
from oslo_service import service as oslo_service  # noqa: E402

CONF = cfg.CONF


def keep_service_ids_apart():
    """The id under which a service reports is an attribute of the class: with several services in one process each
    must put its own there before it reports, or all reports count for the one that was started last."""
    report_state = service.Service.report_state

    def report_own_state(self):
        service.Service.service_id = self.origin_service_id
        return report_state(self)

    service.Service.report_state = report_own_state


def main():
    objects.register_all()
    logging.register_options(CONF)
    CONF(sys.argv[1:], project='cinder', version=version.version_string())
    logging.setup(CONF, 'cinder')
    migration.db_sync()
    rpc.init(CONF)
    service.setup_profiler = lambda *args, **kwargs: None
    keep_service_ids_apart()

    launcher = oslo_service.ServiceLauncher(CONF)
    launcher.launch_service(service.Service.create(binary='cinder-scheduler'))
    for backend in CONF.enabled_backends:
        launcher.launch_service(service.Service.create(
            binary='cinder-volume', host=f'{CONF.host}@{backend}', service_name=backend, coordination=True,
            cluster=None))
    api = service.WSGIService('osapi_volume')
    api.workers = 1
    launcher.launch_service(api)
    launcher.wait()


if __name__ == '__main__':
    main()
