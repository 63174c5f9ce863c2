// A Jest environment: Node's, where only the tests that `testEnvironmentOptions.only` matches run (Jest itself has one
// pattern for all projects), and none after the first that failed, which is all that a mutant needs.
import { TestEnvironment } from 'jest-environment-node';

export default class BailingEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    this.only = new RegExp(config.projectConfig.testEnvironmentOptions.only);
  }

  handleTestEvent({ name }, state) {
    if (name === 'run_start') state.testNamePattern = this.only;
    if (name === 'test_fn_failure') state.testNamePattern = /(?!)/;
  }
}
