import type { InstanceAction } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { since } from '../http/microversion.js';
import { Text, Time } from '../http/rules.js';
import { parseTime } from '../http/timestamps.js';

/** Query of the list from 2.58 (nova:nova/api/openstack/compute/schemas/instance_actions.py). */
export class ListActionsQuery {
  @Text({ pattern: /^\d+$/ }) readonly limit?: string;
  @Text({ max: 255 }) readonly marker?: string;
  @Time() readonly 'changes-since'?: string;
  @Time(since('changes-before')) readonly 'changes-before'?: string;
}

/** The page of `all` (newest first) that was asked for. The marker is a request id. */
export function selectActions(
  all: readonly InstanceAction[],
  query: ListActionsQuery,
  limit: number,
): readonly InstanceAction[] {
  const after = timeOf(query['changes-since']);
  const before = timeOf(query['changes-before']);
  if (after !== null && before !== null && after > before) {
    throw new ApiFault(400, 'The value of changes-since must be less than or equal to changes-before.');
  }
  const start = query.marker === undefined ? 0 : all.findIndex(({ requestId }) => requestId === query.marker) + 1;
  if (query.marker !== undefined && start === 0) throw new ApiFault(400, `Marker ${query.marker} could not be found.`);
  return all
    .slice(start)
    .filter(({ updatedAt }) => (after === null || updatedAt >= after) && (before === null || updatedAt <= before))
    .slice(0, limit);
}

const timeOf = (text: string | undefined): Date | null => (text === undefined ? null : parseTime(text));
