"""A Cinder volume driver for tests: a sparse raw file per volume, handed to the host as it is or on a loop device.

cinder.conf, in the back end's section:
    volume_driver = novella_file_driver.FileDriver
    file_volumes_dir = a folder that is there
    file_use_loop = true|false      a loop device shows a new size only when it is re-read, as a SAN's device does
"""
import os
import subprocess

from cinder import interface
from cinder.image import image_utils
from cinder.volume import configuration
from cinder.volume import driver
from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt('file_volumes_dir'),
    cfg.BoolOpt('file_use_loop', default=False),
]
cfg.CONF.register_opts(OPTIONS, group=configuration.SHARED_CONF_GROUP)

GIB = 1 << 30


def losetup(*options):
    done = subprocess.run(['losetup', *options], text=True, capture_output=True, check=True, timeout=30)
    return done.stdout.split()


@interface.volumedriver
class FileDriver(driver.VolumeDriver):
    VERSION = '1.0'
    CI_WIKI_NAME = 'none'

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(OPTIONS)

    def check_for_setup_error(self):
        if not os.path.isdir(self.configuration.file_volumes_dir):
            raise RuntimeError('file_volumes_dir is no folder')

    def get_volume_stats(self, refresh=False):
        return {
            'volume_backend_name': self.configuration.safe_get('volume_backend_name'),
            'vendor_name': 'Novella tests',
            'driver_version': self.VERSION,
            'storage_protocol': 'file',
            'total_capacity_gb': 'infinite',
            'free_capacity_gb': 'infinite',
            'reserved_percentage': 0,
            'online_extend_support': True,
            'multiattach': True,
        }

    def create_volume(self, volume):
        with open(self._path(volume), 'xb') as file:
            file.truncate(volume.size * GIB)

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        image_utils.fetch_to_raw(context, image_service, image_id, self._path(volume), '1M', size=volume.size)
        os.truncate(self._path(volume), volume.size * GIB)

    def delete_volume(self, volume):
        self._detach_loops(volume)
        if os.path.exists(self._path(volume)):
            os.unlink(self._path(volume))

    def extend_volume(self, volume, new_size):
        path = self._path(volume)
        if os.path.getsize(path) < new_size * GIB:
            os.truncate(path, new_size * GIB)
        for device in self._loops(volume):
            losetup('--set-capacity', device)

    def initialize_connection(self, volume, connector):
        path = self._path(volume)
        if self.configuration.file_use_loop:
            [path] = self._loops(volume)[:1] or losetup('--find', '--show', path)
        return {'driver_volume_type': 'local', 'data': {'device_path': path, 'volume_id': volume.id}}

    def terminate_connection(self, volume, connector, **kwargs):
        if len(volume.volume_attachment) <= 1:
            self._detach_loops(volume)

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def _path(self, volume):
        return os.path.join(self.configuration.file_volumes_dir, volume.name)

    def _loops(self, volume):
        return losetup('--noheadings', '--output', 'NAME', '--associated', self._path(volume))

    def _detach_loops(self, volume):
        for device in self._loops(volume):
            losetup('--detach', device)
