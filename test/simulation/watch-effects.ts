import type { CurrentCommand, Effect } from './simulated-host.js';
import type { Watch } from './watch.js';

/** What must hold of each thing that is done to a guest, at the moment when it is done. */
export function checkEffect(world: Watch, effect: Effect): void {
  const { method, server, volume, token, before, after } = effect;
  const size = (guest: Effect['before']) => guest?.disks.find((disk) => disk.volume === volume)?.guestBytes ?? null;
  const changed =
    method === 'resizeDisk' ? size(before) !== size(after) : JSON.stringify(before) !== JSON.stringify(after);
  if (!changed) return;
  const what = `${method} ${volume?.slice(0, 4) ?? ''} of ${server.slice(0, 4)} by ${token?.operation.slice(0, 4)} ${token?.attempt}`;
  world.trace.say('hypervisor', `${what} ${method === 'resizeDisk' ? `${size(before)} -> ${size(after)}` : ''}`);
  if (method !== 'resizeDisk') return;
  const [was, is] = [size(before), size(after)];
  if (was !== null && is !== null && is < was) world.wrong(`a disk became smaller: ${what}`);
  const sizes = world.cinder.volumes.get(volume!)?.sizes;
  if (is !== null && sizes?.has(is) !== true) world.wrong(`a disk has a size that its volume never had: ${what} ${is}`);
  const again = world.effects.some(
    (other) => other.token?.operation === token?.operation && other.volume === volume && size(other.after) === is,
  );
  if (again) world.wrong(`one operation has changed a disk to the same size twice: ${what} ${is}`);
  world.effects.push(effect);
}

/** A command does nothing any more once a newer one for the same was answered and its operation has ended. */
export function checkStep(watch: Watch, { token, server, volume }: CurrentCommand): void {
  const { endedFences } = watch;
  const ended = Math.max(endedFences.get(server) ?? 0, endedFences.get(`${server} ${volume}`) ?? 0);
  const what = `fence ${token.fence} of ${token.operation.slice(0, 4)} for ${server.slice(0, 4)}, after ${ended}`;
  if (token.fence < ended) watch.wrong(`a command acted after a newer one had ended: ${what}`);
}
