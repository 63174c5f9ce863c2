import type { ProjectId, RequestId, UserId } from '@novella/core';

/** Who asks, as it is written into instance actions. */
export interface Requester {
  readonly requestId: RequestId;
  readonly userId: UserId;
  /** null for a token without a project. */
  readonly projectId: ProjectId | null;
}
