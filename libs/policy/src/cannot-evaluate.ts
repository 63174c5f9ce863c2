/** A check that Python could only answer with an exception: whatever asked is not allowed, whatever stands around it. */
export class CannotEvaluate extends Error {}
