import { type Clock, type Log, type Millis, seconds } from '@novella/core';
import {
  asksRemote,
  DEFAULT_RULE,
  effectiveRules,
  findCycle,
  type EffectiveRule,
  referencedNames,
} from './effective-rules.js';
import { faultText, PolicyError } from './policy-file.js';
import { findPolicyFiles, type PolicyFiles, type PolicyPaths, readPolicyFiles } from './policy-files.js';
import type { RuleDefault } from './rule-default.js';
import { Rules } from './rules.js';

export interface PolicyOptions<Name extends string> {
  readonly defaults: Readonly<Record<Name, RuleDefault>>;
  /** null: only what is in the code. */
  readonly paths: PolicyPaths | null;
  /** False lets old defaults hold beside the new ([oslo_policy] enforce_new_defaults). */
  readonly enforceNewDefaults: boolean;
  /** Rules that every request is asked, at a place where it cannot wait for another server. */
  readonly neverRemote: readonly Name[];
}

export interface PolicyIo {
  readonly clock: Clock;
  readonly log: Log;
}

/** oslo.policy looks at every question; a second makes no difference to people, but it does to a loaded API. */
const LOOK_EVERY: Millis = seconds(1);
/** A file that was written this moment may be half of what it will be. */
const SETTLED_AFTER: Millis = seconds(1);

/**
 * The rules in force, following the files: who asks for them a second or more after the last look has the files looked
 * at. Files that cannot be used change nothing: the rules that were in force stay, and `trouble` says why.
 */
export class Policy<Name extends string = string> {
  #rules: Rules<Name>;
  #lookedAt: Millis;
  /** Those that `#rules` or `#trouble` come of; null when even looking failed. */
  #seen: PolicyFiles | null;
  #trouble: string | null = null;

  /** Throws PolicyError: a process must not begin without the rules that its operator wrote. */
  constructor(
    private readonly options: PolicyOptions<Name>,
    private readonly io: PolicyIo,
  ) {
    this.#lookedAt = io.clock.monotonic();
    this.#seen = findPolicyFiles(options.paths ?? NO_PATHS);
    this.#rules = this.#load(this.#seen);
  }

  rules(): Rules<Name> {
    const now = this.io.clock.monotonic();
    if (this.options.paths !== null && now - this.#lookedAt >= LOOK_EVERY) {
      this.#lookedAt = now;
      this.#follow(this.options.paths);
    }
    return this.#rules;
  }

  /** Why the rules in force are not those of the files; null when they are. */
  trouble(): string | null {
    this.rules();
    return this.#trouble;
  }

  #follow(paths: PolicyPaths): void {
    let found: PolicyFiles | null = null;
    try {
      found = findPolicyFiles(this.#alsoRequired(paths));
      if (found.signature === this.#seen?.signature || !this.#isSettled(found)) return;
      this.#rules = this.#load(found);
      this.#trouble = null;
    } catch (error) {
      this.#stay(error);
    }
    this.#seen = found;
  }

  /** A file that rules came of and that has gone: its rules must not go in silence. */
  #alsoRequired({ file, dirs }: PolicyPaths): PolicyPaths {
    const isLoaded = [...this.#rules.effective.values()].some((rule) => rule.file?.path === file.path);
    return { file: { ...file, isRequired: file.isRequired || isLoaded }, dirs };
  }

  #isSettled({ changedAt }: PolicyFiles): boolean {
    const age = this.io.clock.wallTime().getTime() - changedAt.getTime();
    return age < 0 || age >= SETTLED_AFTER;
  }

  #stay(error: unknown): void {
    const reason = error instanceof PolicyError ? error.faults.map(faultText).join('; ') : String(error);
    const trouble = `the rules of before are in force: ${reason}`;
    if (trouble !== this.#trouble)
      this.io.log.error('the policy files cannot be used, the rules of before stay', { error });
    this.#trouble = trouble;
  }

  #load({ paths }: PolicyFiles): Rules<Name> {
    const { defaults, enforceNewDefaults, neverRemote } = this.options;
    const fileRules = readPolicyFiles(paths);
    const effective = effectiveRules(defaults, fileRules, { enforceNewDefaults });
    refuseCycles(effective);
    const rules = new Rules<Name>(effective, defaults);
    for (const name of neverRemote) {
      if (asksRemote(effective, name))
        throw faultOf(effective, name, 'it is asked at every request and cannot ask a server');
    }
    if (paths.length > 0) this.io.log.info('policy loaded', { files: paths, rules: fileRules.length });
    this.#warn(effective);
    return rules;
  }

  #warn(effective: ReadonlyMap<string, EffectiveRule>): void {
    const { defaults } = this.options;
    const referenced = referencedNames(effective.values());
    const unknown = [...referenced].filter((name) => !effective.has(name));
    if (unknown.length > 0) this.io.log.warn('policy rules refer to rules that do not exist', { unknown });
    const old = new Set(
      [...effective.values()].flatMap(({ deprecated, file }) =>
        deprecated === 'instead-of-new' && file !== null ? [file.name] : [],
      ),
    );
    if (old.size > 0) this.io.log.warn('policy files call rules by old names', { old: [...old] });
    const isAskedFor = (name: string): boolean =>
      name === DEFAULT_RULE || Object.hasOwn(defaults, name) || referenced.has(name) || old.has(name);
    const unused = [...effective.keys()].filter((name) => !isAskedFor(name));
    if (unused.length > 0) this.io.log.warn('policy files have rules that nothing asks for', { unused });
  }
}

const NO_PATHS: PolicyPaths = { file: { path: '', isRequired: false }, dirs: [] };

function refuseCycles(effective: ReadonlyMap<string, EffectiveRule>): void {
  const cycle = findCycle(effective);
  if (cycle === null) return;
  // What is in the code has none, so a file's rule is part of it.
  const name = cycle.find((each) => (effective.get(each)?.file ?? null) !== null) ?? cycle.join();
  throw faultOf(effective, name, `it leads back to itself: ${cycle.join(' -> ')}`);
}

function faultOf(effective: ReadonlyMap<string, EffectiveRule>, name: string, why: string): PolicyError {
  const file = effective.get(name)?.file;
  return new PolicyError([{ path: file?.path ?? name, line: file?.line ?? null, problem: `${name}: ${why}` }]);
}
