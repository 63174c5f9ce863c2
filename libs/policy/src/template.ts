import { CannotEvaluate } from './cannot-evaluate.js';
import { type PolicyValue, pythonStr } from './python-text.js';

/** What a rule asks about; the keys are taken as they are written, a dot in one leads nowhere. */
export type Target = Readonly<Record<string, PolicyValue>>;

/**
 * The right side of a check: text with `%(name)s` for values of the target, and `%%` for a percent sign. Python knows
 * more conversions; no policy uses them, so they are taken for mistakes.
 */
export interface Template {
  readonly parts: readonly (string | { readonly key: string })[];
  /** What follows the parts and is no substitution: whoever comes so far cannot go on. */
  readonly broken: string | null;
}

const PIECE = /([^%]+)|%(%)|%\(([^()]*)\)s/y;
const KEY = /^%\(([^()]*)\)/;

export function parseTemplate(text: string): Template {
  const parts: (string | { key: string })[] = [];
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < text.length) {
    const at = PIECE.lastIndex;
    const piece = PIECE.exec(text);
    if (piece === null) {
      const broken = text.slice(at);
      // Python looks for the value before it looks at how to print it.
      const key = KEY.exec(broken)?.[1];
      return { parts: key === undefined ? parts : [...parts, { key }], broken };
    }
    const [, plain, percent, key] = piece;
    parts.push(key === undefined ? (plain ?? percent ?? '') : { key });
  }
  return { parts, broken: null };
}

/** The text with the target's values; null when the target lacks one. Throws CannotEvaluate where Python raises. */
export function fill({ parts, broken }: Template, target: Target): string | null {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    const value = Object.hasOwn(target, part.key) ? target[part.key] : undefined;
    if (value === undefined) return null;
    text += pythonStr(value);
  }
  if (broken !== null) throw new CannotEvaluate(`${broken} is no substitution`);
  return text;
}

/** The text when it does not depend on a target. */
export function constantText({ parts, broken }: Template): string | null {
  const plain = parts.filter((part) => typeof part === 'string');
  return broken === null && plain.length === parts.length ? plain.join('') : null;
}
