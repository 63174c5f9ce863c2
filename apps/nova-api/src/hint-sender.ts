import type { ClientOf, conductorRpc } from '@novella/contracts';
import { type Log, toErrorRecord } from '@novella/core';

/**
 * Wakes a conductor after a commit. At most one hint is on its way: those that come meanwhile become one more after it,
 * which also tells of what was committed while the first was sent. A hint that cannot be sent costs one sweep.
 */
export function hintSender(conductor: Pick<ClientOf<typeof conductorRpc>, 'hint'>, log: Log): () => void {
  let sending = false;
  let again = false;
  const send = (): void => {
    sending = true;
    conductor
      .hint({})
      .catch((error: unknown) => log.debug('a hint was not sent', { error: toErrorRecord(error).code }))
      .finally(() => {
        sending = false;
        if (again) {
          again = false;
          send();
        }
      });
  };
  return () => {
    if (sending) again = true;
    else send();
  };
}
