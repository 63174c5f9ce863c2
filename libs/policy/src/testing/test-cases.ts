import type { Random } from '@novella/core';
import type { Credentials } from '../compile.js';
import type { RuleText } from '../parse-rule.js';
import type { PolicyValue } from '../python-text.js';
import type { RuleDefault, Scope } from '../rule-default.js';
import type { Target } from '../template.js';

/** Rules, callers and targets by chance, well formed and not, for comparing with oslo.policy. */
export interface PolicyCase {
  readonly rules: Readonly<Record<string, RuleText>>;
  readonly defaults: Readonly<Record<string, RuleDefault>>;
  readonly enforceNewDefaults: boolean;
  readonly target: Target;
  readonly credentials: Credentials;
}

export function policyCase(random: Random): PolicyCase {
  const chance = new Chance(random);
  const rules: Record<string, RuleText> = {};
  // A rule refers only to later ones: there are no cycles.
  for (const [at, name] of RULES.entries()) if (chance.is(0.6)) rules[name] = rule(chance, RULES.slice(at + 1));
  if (chance.is(0.2)) rules['default'] = chance.one(['@', '!', 'role:admin']);
  if (chance.is(0.7)) rules['asked'] = rule(chance, RULES);
  const old = { name: chance.one(['old', 'asked', 'r1']), check: expression(chance, RULES, 1) };
  const asked: RuleDefault = {
    check: expression(chance, RULES, 2),
    scopes: chance.one<readonly Scope[] | null>([null, ['project'], ['project'], ['system', 'domain']]),
    ...(chance.is(0.5) ? { deprecated: old } : {}),
  };
  if (chance.is(0.2)) rules['old'] = chance.one(['rule:asked', '@', 'role:member', '(rule:asked)']);
  return {
    rules,
    defaults: { asked },
    enforceNewDefaults: chance.is(0.5),
    target: target(chance),
    credentials: credentials(chance),
  };
}

const RULES = ['r1', 'r2', 'r3', 'r4'];
const ROLES = ['admin', 'Admin', 'member', 'READER', 'x'];
const TEXTS = ['p1', 'p2', 'None', 'True', '5', '', 'ä b', "it's"];
const NAMES = [
  'project_id',
  'user_id',
  'domain',
  'meta',
  'roles',
  'groups',
  'age',
  'user-id',
  'gone',
  'a.b',
  'domain.id',
];
const LITERALS = ["'p1'", '"p2"', "''", 'True', 'False', 'None', '5', '-5', '+5', '00', "'None'", "'a"];
/** What Python cannot read as an expression. */
const SENSELESS = ['', 'class', 'a..b', '1a', '"q', 'domain.', '.id', 'not', '007', "'a''", '-'];
const MALFORMED = ['50%', '%', '%q', '%(age', '%(age)', '%(age)q', '%(gone)s%', 'a%%b', '%%', '%(project_id)s%(gone)s'];

class Chance {
  constructor(private readonly random: Random) {}
  is = (probability: number): boolean => this.random.fraction() < probability;
  upTo = (count: number): number => Math.floor(this.random.fraction() * (count + 1));
  one<T>(choices: readonly T[]): T {
    const chosen = choices[Math.floor(this.random.fraction() * choices.length)];
    if (chosen === undefined) throw new Error('nothing to choose from');
    return chosen;
  }
  some = <T>(most: number, make: () => T): T[] => Array.from({ length: this.upTo(most) }, make);
}

function rule(chance: Chance, others: readonly string[]): RuleText {
  if (chance.is(0.15)) return list(chance, others);
  if (chance.is(0.15)) return soup(chance, others);
  return expression(chance, others, 3);
}

/** A rule in the right form, with more parentheses and blanks than it needs. */
function expression(chance: Chance, others: readonly string[], depth: number): string {
  if (depth === 0 || chance.is(0.3)) return check(chance, others);
  const inner = (): string => expression(chance, others, depth - 1);
  const blank = (): string => chance.one([' ', ' ', '  ', '\t', '\n', '\u00a0', '\u001f']);
  const word = (text: string): string => `${blank()}${chance.one([text, text, text.toUpperCase()])}${blank()}`;
  switch (chance.upTo(4)) {
    case 0:
      return `${chance.one(['not', 'NOT', 'not not'])}${blank()}${inner()}`;
    case 1:
      return chance.one([`(${inner()})`, `( ${inner()} )`, `((${inner()}))`, `(${inner()} )`]);
    case 2:
      return `${inner()}${word('and')}${inner()}`;
    case 3:
      return `${inner()}${word('or')}${inner()}`;
    default:
      return `${inner()}${word('or')}${inner()}${word('and')}${inner()}${word('or')}${inner()}`;
  }
}

/** Pieces of rules in any order; few of them are rules. */
function soup(chance: Chance, others: readonly string[]): string {
  const pieces = [
    'and',
    'or',
    'not',
    '(',
    ')',
    '()',
    '"a:b"',
    "'a'",
    "'a':'a'",
    '""',
    "(role:x)'",
    'x',
    '@',
    '!',
    '(and)',
  ];
  return chance
    .some(6, () => (chance.is(0.5) ? check(chance, others) : chance.one(pieces)))
    .join(chance.one([' ', ' ', '']));
}

function list(chance: Chance, others: readonly string[]): RuleText {
  const text = (): string =>
    chance.is(0.1) ? chance.one(['', 'role:admin or @', '(role:admin)', ' role:admin', '@ ']) : check(chance, others);
  return chance.some<string | string[]>(3, () => (chance.is(0.3) ? text() : chance.some(3, text)));
}

function check(chance: Chance, others: readonly string[]): string {
  const name = chance.one(NAMES);
  switch (chance.upTo(11)) {
    case 0:
    case 1:
      return `role:${chance.one(ROLES)}`;
    case 2:
      return `role:%(${name})s`;
    case 3:
    case 4:
      return `rule:${chance.one([...others, 'missing'])}`;
    case 5:
      return `is_admin:${chance.one(['True', 'true', 'False', 'x'])}`;
    case 6:
      return `${name}:%(${chance.is(0.7) ? name : chance.one(NAMES)})s`;
    case 7:
      return `${chance.one(LITERALS)}:%(${name})s`;
    case 8:
      return chance.one([
        `${name}:p1`,
        'domain.id:p1',
        'groups.name:p1',
        'roles:admin',
        'age.x:5',
        'groups.name.x:y',
        `'5':5`,
      ]);
    case 9:
      return chance.one(['@', '!']);
    case 10:
      return chance.is(0.5) ? `${chance.one(NAMES)}:${chance.one(MALFORMED)}` : `${chance.one(SENSELESS)}:x`;
    default:
      return `role:${chance.one(ROLES)}`;
  }
}

function value(chance: Chance): PolicyValue {
  return chance.one<PolicyValue>([
    ...TEXTS,
    'p1',
    null,
    true,
    false,
    5,
    -5,
    [],
    ['p1', null, true],
    ['a', ['b']],
    { id: 'p1' },
    { id: null, name: ['p1'] },
    [{ name: 'p1' }, { name: 'p2' }],
    [{ name: 'p1' }, 'p1'],
  ]);
}

function target(chance: Chance): Target {
  return Object.fromEntries(NAMES.filter(() => chance.is(0.6)).map((name) => [name, value(chance)]));
}

function credentials(chance: Chance): Credentials {
  const found = Object.fromEntries(
    NAMES.filter((name) => name !== 'roles' && chance.is(0.7)).map((name) => [name, value(chance)]),
  );
  return {
    ...found,
    is_admin: chance.one([true, false, null]),
    ...(chance.is(0.9)
      ? { roles: chance.is(0.95) ? chance.some(3, () => chance.one(ROLES)) : chance.one([null, [null]]) }
      : {}),
    ...(chance.is(0.1) ? { system_scope: chance.one(['all', null, '']) } : {}),
    ...(chance.is(0.1) ? { domain_id: chance.one(['d', null]) } : {}),
  };
}
