import { NovellaError } from '@novella/core';

/** Every character that XML 1.0 has a form for; lone surrogates and most control characters have none. */
const ALLOWED = /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u;
const NOT_ALLOWED = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&apos;',
  '"': '&quot;',
  // Else an XML reader turns them into blanks inside an attribute.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** For content and attributes alike. Error hypervisor-refused when `text` holds what no XML can. */
export function escapeXml(text: string): string {
  if (!ALLOWED.test(text)) {
    throw new NovellaError('hypervisor-refused', 'a text for libvirt holds characters that XML does not allow', {
      text: cleanText(text),
    });
  }
  return text.replace(/[&<>'"\t\n\r]/g, (character) => ENTITIES[character] ?? character);
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', apos: "'", quot: '"' };

/** The text that `escapeXml` was given; what is no reference that XML itself knows is left as it is. */
export const unescapeXml = (xml: string): string =>
  xml.replace(
    /&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]+));/gi,
    (reference, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return NAMED[name] ?? reference;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code <= 0x10_ffff ? String.fromCodePoint(code) : reference;
    },
  );

/** For a text that people read and nobody compares: what XML does not allow becomes U+FFFD. */
export const cleanText = (text: string): string => text.replace(NOT_ALLOWED, '\uFFFD');
