"""Attaches a volume, extends it and detaches it, over and over, with openstacksdk in one process.

usage: attachment_rounds.py ROUNDS SERVER TYPE...

The account comes from the environment (OS_AUTH_URL and the rest). Each round makes a volume, of
one type after the other, and deletes it.
Writes a line for each round: the volume, and what it saw of its end.
"""
import sys
import time

import openstack

LIMIT_S = 120
PAUSE_S = 0.2


def until(what, look):
    end = time.monotonic() + LIMIT_S
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise RuntimeError(f'{what} did not come about within {LIMIT_S} s')
        time.sleep(PAUSE_S)


def main():
    rounds, server, types = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    cloud = openstack.connect(compute_default_microversion='2.60', block_storage_default_microversion='3.44')

    def volume_is(volume, status, size):
        now = cloud.block_storage.get_volume(volume.id)
        if now.status.startswith('error'):
            raise RuntimeError(f'volume {volume.id} is {now.status}')
        return now.status == status and now.size == size

    actions = f'/servers/{server}/os-instance-actions'

    def ended(action, number):
        """The result of that many actions of that name, the newest one's; None while it is not over. (This SDK's own
        list of actions refuses the server that it is asked for.)"""
        listed = cloud.compute.get(actions, microversion='2.60').json()['instanceActions']
        named = [one for one in listed if one['action'] == action]
        if len(named) < number:
            return None
        shown = cloud.compute.get(f"{actions}/{named[0]['request_id']}", microversion='2.60').json()['instanceAction']
        return shown['events'][0]['result'] if shown['events'] else None

    for number in range(rounds):
        volume = cloud.block_storage.create_volume(size=1, volume_type=types[number % len(types)], name='round')
        until('available', lambda: volume_is(volume, 'available', 1))
        cloud.compute.create_volume_attachment(server, volume_id=volume.id)
        until('in-use', lambda: volume_is(volume, 'in-use', 1))
        until('attached', lambda: ended('attach_volume', number + 1))
        cloud.block_storage.extend_volume(volume, 2)
        until('in-use and larger', lambda: volume_is(volume, 'in-use', 2))
        result = until('extended', lambda: ended('extend_volume', number + 1))
        cloud.compute.delete_volume_attachment(volume.id, server)
        until('available and larger', lambda: volume_is(volume, 'available', 2))
        cloud.block_storage.delete_volume(volume)
        print(volume.id, result, flush=True)


main()
