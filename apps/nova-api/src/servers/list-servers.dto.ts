import { since } from '../http/microversion.js';
import { Anything, OneOf, Text, Time } from '../http/rules.js';

/**
 * Query of GET /servers and /servers/detail (nova:nova/api/openstack/compute/schemas/servers.py query_params).
 * Unknown keys are dropped before 2.75 and refused from there.
 */
const Count = (): PropertyDecorator => Text({ pattern: /^\d+$/ });
const tags = (): PropertyDecorator => Text({}, since('servers.tags'));

export class ListServersQuery {
  @Count() readonly limit?: string;
  @Text() readonly marker?: string;
  @Anything() readonly status?: string[];
  @Text() readonly all_tenants?: string;
  @Text() readonly sort_key?: string;
  @OneOf(['asc', 'desc']) readonly sort_dir?: 'asc' | 'desc';
  @Text() readonly deleted?: string;
  @Time() readonly 'changes-since'?: string;
  @Time(since('changes-before')) readonly 'changes-before'?: string;

  @Text() readonly name?: string;
  @Text() readonly uuid?: string;
  @Text() readonly image?: string;
  @Text() readonly image_ref?: string;
  @Text() readonly flavor?: string;
  @Text() readonly host?: string;
  @Text() readonly hostname?: string;
  @Text() readonly node?: string;
  @Text() readonly user_id?: string;
  @Text() readonly project_id?: string;
  @Text() readonly tenant_id?: string;
  @Text() readonly vm_state?: string;
  @Text() readonly task_state?: string;
  @Text() readonly power_state?: string;
  @Text() readonly availability_zone?: string;
  @Text() readonly key_name?: string;
  @Text() readonly config_drive?: string;
  @Text() readonly reservation_id?: string;
  @Text() readonly description?: string;
  @Text() readonly ip?: string;
  @Text() readonly ip6?: string;
  @Text() readonly launch_index?: string;
  @Text() readonly progress?: string;
  @Text({}, since('servers.locked-reason')) readonly locked?: string;
  @tags() readonly tags?: string;
  @tags() readonly 'tags-any'?: string;
  @tags() readonly 'not-tags'?: string;
  @tags() readonly 'not-tags-any'?: string;
}
