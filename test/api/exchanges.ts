/** The requests of a page and the answers that it shows for them: each two blocks of `http` that follow one another. */
export interface Exchange {
  /** The heading that it stands under, with its number there. */
  readonly title: string;
  readonly request: string;
  readonly answer: string;
}
export interface Message {
  /** `POST /v2.1/...` or `HTTP/1.1 200`. */
  readonly first: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const BLOCK = /^(#+ .*)$|^```http\n([\s\S]*?)\n```$/gm;

export function exchangesIn(page: string): Exchange[] {
  const exchanges: Exchange[] = [];
  let heading = '';
  let request: string | null = null;
  for (const [, title, block] of page.matchAll(BLOCK)) {
    if (title !== undefined) heading = title.replaceAll('#', '').trim();
    else if (request === null) request = block ?? '';
    else {
      exchanges.push({ title: `${exchanges.length + 1}: ${heading}`, request, answer: block ?? '' });
      request = null;
    }
  }
  if (request !== null) throw new Error(`a request without its answer: ${request}`);
  return exchanges;
}

export function messageOf(block: string): Message {
  const [head = '', ...body] = block.split('\n\n');
  const [first = '', ...lines] = head.split('\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { first: first.split(' '), headers: Object.fromEntries(headers), body: body.join('\n\n') };
}

/** Without what is another each time. */
export const lasting = (text: string): string =>
  text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}/g, '<time>').replaceAll(/"[0-9a-f]{56}"/g, '"<host id>"');
