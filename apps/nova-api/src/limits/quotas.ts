/** How much of each there may be: Nova's [quota] defaults for what is held to them. */

/** Of one user. */
export const MOST_KEY_PAIRS = 100;
