export const parse = (text: string): { size: number } => JSON.parse(text);
