import { since, until } from '../http/microversion.js';
import { ObjectOf, OneOf, Required, Rule, Text, whyNotBoth, whyNotName, whyNotText } from '../http/rules.js';

/** Bodies and queries of os-keypairs (nova:nova/api/openstack/compute/schemas/keypairs.py). */
const nameOf = (letters: RegExp) => whyNotBoth(whyNotName, whyNotText({ pattern: letters }));

class KeyPairDto {
  @Required()
  @Rule('name', nameOf(/^[_\- a-zA-Z0-9]+$/), until('keypairs.generation'))
  @Rule('name', nameOf(/^[_\-@. a-zA-Z0-9]+$/), since('keypairs.imported-only'))
  readonly name!: string;

  @Required(since('keypairs.imported-only'))
  @Text()
  readonly public_key?: string;

  @OneOf(['ssh', 'x509'], since('keypairs.type')) readonly type?: 'ssh' | 'x509';
  @Text({}, since('keypairs.of-another-user')) readonly user_id?: string;
}

export class CreateKeyPairBody {
  @Required() @ObjectOf(() => KeyPairDto) readonly keypair!: KeyPairDto;
}

export class KeyPairQuery {
  @Text({}, since('keypairs.of-another-user')) readonly user_id?: string;
}

export class ListKeyPairsQuery extends KeyPairQuery {
  @Text({ pattern: /^\d+$/ }, since('keypairs.paging')) readonly limit?: string;
  @Text({}, since('keypairs.paging')) readonly marker?: string;
}
