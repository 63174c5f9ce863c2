import { ALLOW, type Check, DENY } from './check.js';
import { parseTemplate, type Template } from './template.js';

/**
 * One check, `kind:match`, split at the first colon. Mirrors oslo.policy:oslo_policy/_parser.py _parse_check and
 * _checks.py. `fault` gets what is wrong with it; the check then denies, or breaks where Python raises.
 */
export function parseCheck(text: string, fault: (why: string) => void): Check {
  if (text === '@') return ALLOW;
  if (text === '!') return DENY;
  const colon = text.indexOf(':');
  if (colon < 0) {
    fault(`${text} is no check: it has no colon`);
    return DENY;
  }
  const kind = text.slice(0, colon);
  const match = text.slice(colon + 1);
  switch (kind) {
    case 'rule':
      return { kind: 'rule', name: match };
    case 'is_admin':
      return { kind: 'is-admin', expected: match.toLowerCase() === 'true' };
    case 'role':
      return { kind: 'role', role: template(match, fault) };
    case 'http':
    case 'https':
      return { kind: 'remote', url: template(text, fault) };
    default: {
      const left = leftSide(kind);
      const value = template(match, fault);
      if (left !== null) return { ...left, value };
      const why = `${kind} is neither a literal nor a name of the credentials`;
      fault(why);
      return { kind: 'broken', why, value };
    }
  }
}

function template(text: string, fault: (why: string) => void): Template {
  const parsed = parseTemplate(text);
  if (parsed.broken !== null) fault(`${parsed.broken} is no substitution: write %(name)s, or %% for a percent sign`);
  return parsed;
}

const QUOTED = /^(['"])([^'"\\]*)\1$/;
const WHOLE = /^([+-]?)(0+|[1-9]\d*)$/;
const PATH = /^[\p{XIDS}_][\p{XIDC}]*(?:[.-][\p{XIDS}_][\p{XIDC}]*)*$/u;
const KEYWORDS = new Set(
  (
    'and as assert async await break class continue def del elif else except finally for from global if import in is ' +
    'lambda nonlocal not or pass raise return try while with yield False None True'
  ).split(' '),
);

type Left =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'credential'; readonly path: readonly string[] };

/**
 * Python takes the left side for a literal when it is one, else for a path when it is any other expression, else raises.
 * Here literals are texts, whole numbers and the three names; paths are names. The rest, which no policy has, is null.
 */
function leftSide(kind: string): Left | null {
  const trimmed = kind.replace(/^[ \t]+/, '');
  if (trimmed === 'None' || trimmed === 'True' || trimmed === 'False') return { kind: 'literal', text: trimmed };
  const quoted = QUOTED.exec(trimmed)?.[2];
  if (quoted !== undefined) return { kind: 'literal', text: quoted };
  const [, sign = '', digits] = WHOLE.exec(trimmed) ?? [];
  if (digits !== undefined) return { kind: 'literal', text: String(BigInt(digits) * (sign === '-' ? -1n : 1n)) };
  const names = trimmed.split(/[.-]/);
  if (!PATH.test(trimmed) || names.some((name) => KEYWORDS.has(name))) return null;
  return { kind: 'credential', path: kind.split('.') };
}
