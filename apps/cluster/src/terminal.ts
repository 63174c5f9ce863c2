/** What the members say, line by line, each with its name in front; colour only where a person looks. */
export class Terminal {
  private readonly width: number;

  constructor(
    private readonly write: (text: string) => void,
    private readonly options: { readonly names: readonly string[]; readonly colour: boolean },
  ) {
    this.width = Math.max(...options.names.map((name) => name.length), CLUSTER.length);
  }

  /** The cluster's own words. */
  say(text: string): void {
    for (const line of text.split('\n')) this.line(CLUSTER, line);
  }

  /** What must not be overlooked. */
  alarm(text: string): void {
    for (const line of text.split('\n')) this.line(CLUSTER, this.painted(ALARM, `!!! ${line}`));
  }

  line(name: string, text: string): void {
    this.write(`${this.painted(this.colourOf(name), `${name.padEnd(this.width)} |`)} ${text}\n`);
  }

  /** Without a name in front, so that it can be copied. */
  plain(text: string): void {
    this.write(text);
  }

  private colourOf(name: string): number {
    const index = this.options.names.indexOf(name);
    return index < 0 ? BOLD : (COLOURS[index % COLOURS.length] ?? BOLD);
  }

  private painted(code: number, text: string): string {
    return this.options.colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

const CLUSTER = 'cluster';
const BOLD = 1;
const ALARM = 31;
const COLOURS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

/** Facts that every line of a process has, and that its name in front already says. */
const DULL = new Set(['level', 'time', 'pid', 'name', 'msg']);
const LONGEST_VALUE = 300;

/**
 * A line of a process' log for people: `12:34:56.789 message key=value`, with its level when that is worth a look.
 * What is no log entry is left as it is.
 */
export function readable(line: string): string {
  const entry = entryOf(line);
  if (entry === null) return line;
  const { time, level, msg } = entry;
  const facts = Object.entries(entry).flatMap(([key, value]) => (DULL.has(key) ? [] : [` ${key}=${printed(value)}`]));
  const grade = level === 'warn' || level === 'error' ? `${level.toUpperCase()} ` : '';
  return `${timeOfDay(time)} ${grade}${String(msg)}${facts.join('')}`;
}

function entryOf(line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{')) return null;
  try {
    const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    return typeof entry['msg'] === 'string' && typeof entry['level'] === 'string' ? entry : null;
  } catch {
    return null;
  }
}

function timeOfDay(time: unknown): string {
  const at = new Date(String(time));
  if (Number.isNaN(at.getTime())) return '--:--:--';
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  return `${clock}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** An error without its stack, which the file has; its causes' messages with it. */
function printed(value: unknown): string {
  if (typeof value === 'string') return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
  const text = JSON.stringify(value, (key, inner: unknown) => (key === 'stack' ? undefined : inner));
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}...` : text;
}
