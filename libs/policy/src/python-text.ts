/** Values of credentials and targets, as policy rules see them: what JSON can hold. */
export type PolicyValue =
  string | number | boolean | null | readonly PolicyValue[] | { readonly [name: string]: PolicyValue };

/** Python's `str()`: rules compare texts, so `True`, `None` and `['a']` are what JSON's values read as. */
export const pythonStr = (value: PolicyValue): string => (typeof value === 'string' ? value : pythonRepr(value));

function pythonRepr(value: PolicyValue): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (isList(value)) return `[${value.map(pythonRepr).join(', ')}]`;
  return `{${Object.entries(value)
    .map(([name, item]) => `${quoted(name)}: ${pythonRepr(item)}`)
    .join(', ')}}`;
}

export const isList = (value: PolicyValue): value is readonly PolicyValue[] => Array.isArray(value);

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
  return `${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`;
}
