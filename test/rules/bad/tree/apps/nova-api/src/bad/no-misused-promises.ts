export const each = (names: string[], use: (name: string) => Promise<void>): void => names.forEach(async (name) => use(name));
