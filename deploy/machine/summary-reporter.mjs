// A Jest reporter: counts tests and ends with one line that a program can read. Under run.mjs, which runs Jest once per
// ring, the counts go to the file named by NOVELLA_TEST_COUNTS and run.mjs prints the line for all rings.
import { writeFileSync } from 'node:fs';

export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const counts = countsOf(results);
    const file = process.env.NOVELLA_TEST_COUNTS;
    if (file) writeFileSync(file, JSON.stringify(counts));
    // Jest prints its own summary after this; ours comes last.
    else process.once('exit', () => process.stdout.write(`${closingLine(counts)}\n`));
  }
}

/** A file that could not run at all counts as one failed test. Skipped: skip and todo. */
export function countsOf(results) {
  return {
    passed: results.numPassedTests,
    failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
    skipped: results.numPendingTests + results.numTodoTests,
  };
}

export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
