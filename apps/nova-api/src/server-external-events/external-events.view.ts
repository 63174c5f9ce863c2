import type { PostedEvent } from '@novella/persistence';
import type { ExternalEvent } from './external-events.dto.js';

/** The event as it was posted, with its code; `status` says what became of it here. */
export function externalEventView(event: ExternalEvent, { code }: Pick<PostedEvent, 'code'>) {
  return {
    name: event.name,
    server_uuid: event.server_uuid,
    ...(event.tag === undefined ? {} : { tag: event.tag }),
    status: code === 200 ? 'completed' : 'failed',
    code,
  };
}
