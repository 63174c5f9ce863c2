import { randomUUID } from 'node:crypto';
import { type Origin } from '../state/records.js';
import { type State } from '../state/state.js';

/** cinder:message/message_field.py: action 007 (extend volume) with a detail. */
const EXTEND_DETAILS = {
  '009': 'Compute service failed to extend volume.',
  '010': 'Driver failed to extend the volume.',
} as const;
const KEPT_DAYS = 30;

/** Leaves word of a failed extend for the volume's user. */
export async function leaveExtendMessage(
  state: State,
  volumeId: string,
  detail: keyof typeof EXTEND_DETAILS,
  { projectId, requestId }: Origin,
): Promise<void> {
  const now = Date.now();
  await state.messages.put({
    id: randomUUID(),
    volumeId,
    projectId,
    requestId,
    eventId: `VOLUME_VOLUME_007_${detail}`,
    text: `extend volume:${EXTEND_DETAILS[detail]}`,
    createdAt: new Date(now).toISOString(),
    guaranteedUntil: new Date(now + KEPT_DAYS * 24 * 3_600_000).toISOString(),
  });
}
