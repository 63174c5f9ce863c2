import type { ProjectId, Random, RequestId, ServerId, UserId, VolumeId } from '@novella/core';
import type { EngineStore } from '@novella/persistence';

const SYSTEM_USER = 'novella' as UserId;
const SYSTEM_PROJECT = 'novella' as ProjectId;

/**
 * An extend that nobody has asked for, with an action of its own, initiator `system`. Answers whether it was opened: not
 * while another extend of the attachment is open.
 */
export const openSystemExtend = (
  { store, random }: { readonly store: EngineStore; readonly random: Random },
  { serverId, volumeId }: { readonly serverId: ServerId; readonly volumeId: VolumeId },
): Promise<boolean> => {
  const requestId = `req-${random.uuid()}` as RequestId;
  return store.openSystemExtend({
    serverId,
    volumeId,
    requester: { requestId, userId: SYSTEM_USER, projectId: SYSTEM_PROJECT },
  });
};
