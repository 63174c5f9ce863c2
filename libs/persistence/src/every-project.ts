/** Not null: a caller without a project must not see everybody's servers for that. */
export const EVERY_PROJECT = Symbol('every project');
