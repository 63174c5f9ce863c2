import { ObjectOf, OneOf, Required, Rule, shaped } from '../http/rules.js';
import { pythonRepr } from '../http/python-repr.js';

/** Bodies of POST /servers/{id}/action (nova:nova/api/openstack/compute/schemas/servers.py, console_output.py). */
const REBOOT_TYPES = ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft'] as const;

class RebootDto {
  @Required() @OneOf(REBOOT_TYPES) readonly type!: (typeof REBOOT_TYPES)[number];
}
export class RebootBody {
  @Required() @ObjectOf(() => RebootDto) readonly reboot!: RebootDto;
}

/** An integer from -1, or digits as text with any sign. */
const LENGTH = {
  anyOf: [
    { type: 'integer', minimum: -1, maximum: Number.MAX_SAFE_INTEGER },
    { type: 'string', pattern: '^-?[0-9]+$' },
    { type: 'null' },
  ],
};
const whyNotLength = shaped(LENGTH, (value) => {
  if (value === null) return null;
  if (typeof value === 'string') {
    return /^-?\d+$/.test(value) ? null : `${pythonRepr(value)} does not match '^-?[0-9]+$'`;
  }
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    return `${pythonRepr(value)} is not of type 'integer', 'string', 'null'`;
  }
  return value < -1 ? `${pythonRepr(value)} is less than the minimum of -1` : null;
});
class ConsoleOutputDto {
  @Rule('length', whyNotLength) readonly length?: number | string | null;
}
export class ConsoleOutputBody {
  @Required() @ObjectOf(() => ConsoleOutputDto) readonly 'os-getConsoleOutput'!: ConsoleOutputDto;
}
