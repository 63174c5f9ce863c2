import type { ClientFacts } from './client-files.js';
import { apiUrl, cinderUrl } from './members.js';

/** What to type next, in a second terminal; each line works as it stands, one after the other. */
export function firstSteps(facts: ClientFacts): string {
  const { options, folder, ports } = facts;
  const real = options.driver === 'libvirt';
  return `
The cluster is up: ${options.computes} hosts, ${options.conductors} conductors.
  Nova API       ${apiUrl(ports)}
  Cinder API     ${cinderUrl(facts)}${options.cinder === null ? ' (for development)' : ''}
  for clients    ${folder.environmentFile} and ${folder.clouds}

In a second terminal, as the same user:

. ${folder.environmentFile}
${options.keystone === null ? '' : withKeystone(facts)}ask() { curl -sS -X "$1" -H "X-Auth-Token: $TOKEN" -H "OpenStack-API-Version: $2" -H 'Content-Type: application/json' "$3" \${4:+-d "$4"}; echo; }
nova() { ask "$1" 'compute 2.96' "$NOVA$2" "$3"; }
cinder() { ask "$1" 'volume 3.44' "$CINDER$2" "$3"; }
id() { grep -o '"id": *"[0-9a-f-]*"' | head -n 1 | cut -d '"' -f 4; }

SERVER=$(nova POST /servers '{"server": {"name": "one", "imageRef": "'$IMAGE'", "flavorRef": "84", "networks": "none"}}' | id)
until nova GET /servers/$SERVER | grep -q ACTIVE; do sleep 1; done
${real ? BOOTED : ''}VOLUME=$(cinder POST /volumes '{"volume": {"name": "data", "size": 1}}' | id)
until cinder GET /volumes/$VOLUME | grep -q available; do sleep 1; done
nova POST /servers/$SERVER/os-volume_attachments '{"volumeAttachment": {"volumeId": "'$VOLUME'"}}'
until cinder GET /volumes/$VOLUME | grep -q in-use; do sleep 1; done
cinder POST /volumes/$VOLUME/action '{"os-extend": {"new_size": 2}}'
${real ? GROWN : EXTENDED}nova GET /servers/$SERVER/os-instance-actions

Or with openstackclient: openstack server list; openstack volume list; openstack compute service list
Ctrl-C here ends everything and keeps the data.

`;
}

/** openstackclient gets a token that a shell can use. */
const withKeystone = (facts: ClientFacts): string => `TOKEN=$(openstack token issue -f value -c id)
CINDER=${cinderUrl(facts)}/$(openstack token issue -f value -c project_id)
`;

/** The guest says what its kernel sees. */
const BOOTED = `until nova POST /servers/$SERVER/action '{"os-getConsoleOutput": {}}' | grep -q 'GUEST ready'; do sleep 1; done
`;
const GROWN = `until nova POST /servers/$SERVER/action '{"os-getConsoleOutput": {"length": 5}}' | grep 'sectors=4194304'; do sleep 1; done
`;
const EXTENDED = `until nova GET /servers/$SERVER/os-instance-actions | grep -q extend_volume; do sleep 1; done
`;
