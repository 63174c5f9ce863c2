export const often = (work: () => void): unknown => setInterval(work, 1);
