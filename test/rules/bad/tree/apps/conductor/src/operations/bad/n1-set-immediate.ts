export const soon = (work: () => void): unknown => setImmediate(work);
