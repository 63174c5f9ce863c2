export const id = (randomUUID: () => string): string => randomUUID();
