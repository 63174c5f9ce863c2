import { parseArgs } from 'node:util';

export const SCENARIOS = ['chaos', 'broker-away', 'host-away'] as const;
export type Scenario = (typeof SCENARIOS)[number];
export const PLANTS = ['none', 'lie'] as const;
const MOST_EVENTS = 1_000_000;
const MOST_KILLS = 10_000;
const MOST_COMPUTES = 8;
const CONDUCTORS = 2;

export interface VerifyOptions {
  readonly scenario: Scenario;
  /** Accepted events. */
  readonly events: number;
  readonly seed: number;
  /** By SIGKILL; some freezes and restarts in order come on top. */
  readonly kills: number;
  /** Names of the parts that may be killed. */
  readonly parts: readonly string[];
  readonly computes: number;
  /** How long the faults go on; null: as long as they take when most come one by one. */
  readonly lengthS: number | null;
  /** How long broker or host are away. */
  readonly awayS: number;
  /** A hypervisor that lies, to see that it is found out. */
  readonly plant: (typeof PLANTS)[number];
  /** The folder with data and logs stays, also when all promises were kept. */
  readonly keep: boolean;
}

export type Parsed =
  | { readonly kind: 'run'; readonly options: VerifyOptions }
  | { readonly kind: 'help' }
  /** All that is wrong, a line for each. */
  | { readonly kind: 'wrong'; readonly faults: readonly string[] };

export const USAGE = `usage: npm run verify -- [options]

  --scenario NAME   chaos: every part is killed, frozen and restarted while events are posted (the default)
                    broker-away: the broker is away while events are posted
                    host-away: one host is away while events are posted for it
  --events N        accepted events; 10000 unless given, 5000 for broker-away, 1000 for host-away
  --seed N          of the faults and the load; 1 unless given
  --kills N         by SIGKILL; 64 unless given; one freeze and one restart in order come with every five
  --parts LIST      what may be killed, with commas: nova-api, conductor, compute, rabbitmq, postgres, cinder-dev,
                    or one of several by name: compute-2; all unless given
  --computes N      hosts, 1 to ${MOST_COMPUTES}; 3 unless given
  --length SECONDS  how long the faults go on; unless given as long as they take when most come one by one
  --away SECONDS    how long broker or host are away; 120 unless given, 20 for host-away
  --plant lie       one hypervisor lies about one volume: a run must then report a broken promise
  --keep            keeps the folder with all data and logs also when every promise was kept
  --help            this text

Exit codes: 0 every promise was kept, 1 a promise is broken or the run could not end, 2 wrong options, 130 ended by Ctrl-C.
`;

/** Pure: what the words on the command line ask for. */
export function parseOptions(words: readonly string[]): Parsed {
  let given: Given;
  try {
    given = parseGiven(words);
  } catch (error) {
    return { kind: 'wrong', faults: [error instanceof Error ? error.message : String(error)] };
  }
  if (given.help === true) return { kind: 'help' };
  const faults: string[] = [];
  const options = checked(given, (fault) => faults.push(fault));
  return faults.length > 0 ? { kind: 'wrong', faults } : { kind: 'run', options };
}

type Given = ReturnType<typeof parseGiven>;

function parseGiven(words: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  return parseArgs({
    args: [...words],
    options: {
      scenario: text,
      events: text,
      seed: text,
      kills: text,
      parts: text,
      computes: text,
      length: text,
      away: text,
      plant: text,
      keep: flag,
      help: flag,
    },
  }).values;
}

type Number_ = 'events' | 'seed' | 'kills' | 'computes' | 'length' | 'away';
const EVENTS = { chaos: 10_000, 'broker-away': 5_000, 'host-away': 1_000 } as const satisfies Record<Scenario, number>;
const AWAY_S = { chaos: 0, 'broker-away': 120, 'host-away': 20 } as const satisfies Record<Scenario, number>;

function checked(given: Given, fault: (text: string) => void): VerifyOptions {
  const whole = (name: Number_, least: number, most: number, otherwise: number): number => {
    const text = given[name];
    if (text === undefined) return otherwise;
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    fault(`--${name} ${text}: give a whole number from ${least} to ${most}`);
    return otherwise;
  };
  const oneOf = <T extends string>(name: 'scenario' | 'plant', all: readonly T[], otherwise: T): T => {
    const text = given[name];
    const found = text === undefined ? otherwise : all.find((one) => one === text);
    if (found === undefined) fault(`--${name} ${text ?? ''}: give one of ${all.join(', ')}`);
    return found ?? otherwise;
  };
  const scenario = oneOf('scenario', SCENARIOS, 'chaos');
  const computes = whole('computes', 1, MOST_COMPUTES, 3);
  if (scenario === 'host-away' && computes < 2) fault('--computes 1: when the only host is away there is no other');
  return {
    scenario,
    events: whole('events', 1, MOST_EVENTS, EVENTS[scenario]),
    seed: whole('seed', 0, 2 ** 32 - 1, 1),
    kills: whole('kills', 0, MOST_KILLS, 64),
    parts: partsOf(given.parts, allParts(computes), fault),
    computes,
    lengthS: given.length === undefined ? null : whole('length', 1, 86_400, 1),
    awayS: whole('away', 1, 3_600, AWAY_S[scenario]),
    plant: oneOf('plant', PLANTS, 'none'),
    keep: given.keep ?? false,
  };
}

export const allParts = (computes: number): string[] => [
  'nova-api',
  ...Array.from({ length: CONDUCTORS }, (_, index) => `conductor-${index + 1}`),
  ...Array.from({ length: computes }, (_, index) => `compute-${index + 1}`),
  'rabbitmq',
  'postgres',
  'cinder-dev',
];

function partsOf(given: string | undefined, all: readonly string[], fault: (text: string) => void): readonly string[] {
  if (given === undefined) return all;
  const words = given.split(',').filter((word) => word !== '');
  const named = (word: string) => all.filter((part) => part === word || part.replace(/-\d+$/, '') === word);
  for (const word of words) if (named(word).length === 0) fault(`--parts ${word}: there are ${all.join(', ')}`);
  const found = all.filter((part) => words.some((word) => named(word).includes(part)));
  if (words.length === 0) fault('--parts: give at least one');
  return found.length === 0 ? all : found;
}
