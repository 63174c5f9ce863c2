// A Jest reporter: what became of each project, as a JSON file. Jest's own JSON does not name the projects.
import { writeFileSync } from 'node:fs';

export default class ProjectsReporter {
  constructor(_globalConfig, { outputFile }) {
    this.outputFile = outputFile;
    this.results = [];
  }

  onTestResult({ context }, { testResults, testExecError, perfStats }) {
    const named = (status) => testResults.filter((test) => test.status === status).map(({ fullName }) => fullName);
    const messages = testResults.flatMap(({ failureMessages }) => failureMessages);
    this.results.push({
      project: context.config.displayName.name,
      passed: named('passed'),
      failed: named('failed'),
      messages,
      error: testExecError?.message ?? testExecError?.stack ?? null,
      ms: perfStats.end - perfStats.start,
    });
  }

  onRunComplete() {
    writeFileSync(this.outputFile, JSON.stringify(this.results));
  }
}
