import { ALLOW, type Check, DENY } from './check.js';
import { parseCheck } from './parse-check.js';
import { parseTemplate } from './template.js';

/**
 * The rule language of oslo.policy (oslo_policy/_parser.py): checks joined by `or`, `and`, `not` (binding ever closer) and
 * parentheses; or a list of lists, the outer joined by or, the inner by and. No text and an empty list allow everybody.
 */
export type RuleText = string | readonly (string | readonly string[])[];

export interface ParsedRule {
  readonly check: Check;
  /** What is wrong with it, for people. The rule then denies, as a whole or where it is wrong. */
  readonly faults: readonly string[];
}

export function parseRule(rule: RuleText): ParsedRule {
  const faults: string[] = [];
  const fault = (why: string): void => void faults.push(why);
  const check = typeof rule === 'string' ? parseText(rule, fault) : parseList(rule, fault);
  return { check, faults };
}

function parseList(rule: Exclude<RuleText, string>, fault: (why: string) => void): Check {
  if (rule.length === 0) return ALLOW;
  const alternatives = rule
    // Neither an empty list nor an empty text.
    .filter((inner) => inner.length > 0)
    .map((inner) => (typeof inner === 'string' ? [inner] : inner))
    .map((inner) =>
      joined(
        'and',
        inner.map((text) => parseCheck(text, fault)),
      ),
    );
  return alternatives.length === 0 ? DENY : joined('or', alternatives);
}

/** Python's `\s`, which is not JavaScript's. */
const SPACE = /[\t-\r\u001c- \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;
const DEEPEST = 100;

type Token =
  { readonly kind: '(' | ')' | 'and' | 'or' | 'not' | 'string' } | { readonly kind: 'check'; readonly check: Check };

function parseText(text: string, fault: (why: string) => void): Check {
  if (text === '') return ALLOW;
  const tokens = [...tokensOf(text, fault)];
  const [first] = tokens;
  // Python takes a lone token for the rule itself and raises when it is asked.
  if (first !== undefined && tokens.length === 1 && first.kind !== 'check') {
    const why = `${text} is no rule`;
    fault(why);
    return { kind: 'broken', why, value: parseTemplate('') };
  }
  const check = new RuleParser(tokens).parse();
  if (check !== null) return check;
  fault(`${text} cannot be understood`);
  return DENY;
}

/** Splits at blanks, then takes parentheses off the ends of each piece: those inside belong to `%(name)s`. */
function* tokensOf(text: string, fault: (why: string) => void): Generator<Token> {
  for (const piece of text.split(SPACE)) {
    const opened = piece.replace(/^\(+/, '');
    for (let count = piece.length - opened.length; count > 0; count -= 1) yield { kind: '(' };
    const word = opened.replace(/\)+$/, '');
    const lower = word.toLowerCase();
    if (lower === 'and' || lower === 'or' || lower === 'not') yield { kind: lower };
    else if (/^"[^]*"$|^'[^]*'$/.test(opened)) yield { kind: 'string' };
    else if (word !== '') yield { kind: 'check', check: parseCheck(word, fault) };
    for (let count = opened.length - word.length; count > 0; count -= 1) yield { kind: ')' };
  }
}

/** Recursive descent; each method answers null where the tokens make no rule. */
class RuleParser {
  #at = 0;
  #depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  parse(): Check | null {
    const check = this.#anyOf();
    return this.#at === this.tokens.length ? check : null;
  }

  #anyOf(): Check | null {
    return this.#list('or', () => this.#list('and', () => this.#one()));
  }

  #list(word: 'or' | 'and', next: () => Check | null): Check | null {
    const checks: Check[] = [];
    do {
      const check = next();
      if (check === null) return null;
      checks.push(check);
    } while (this.#takes(word));
    return joined(word, checks);
  }

  #one(): Check | null {
    let negations = 0;
    while (this.#takes('not')) negations += 1;
    let check = this.#atom();
    for (; check !== null && negations > 0; negations -= 1) check = { kind: 'not', check };
    return check;
  }

  #atom(): Check | null {
    const token = this.tokens[this.#at];
    if (token?.kind === 'check') {
      this.#at += 1;
      return token.check;
    }
    if (this.#depth === DEEPEST || !this.#takes('(')) return null;
    this.#depth += 1;
    const check = this.#anyOf();
    this.#depth -= 1;
    return this.#takes(')') ? check : null;
  }

  #takes(kind: Token['kind']): boolean {
    if (this.tokens[this.#at]?.kind !== kind) return false;
    this.#at += 1;
    return true;
  }
}

const joined = (kind: 'and' | 'or', checks: readonly Check[]): Check => {
  const [only] = checks;
  return only !== undefined && checks.length === 1 ? only : { kind, checks };
};
