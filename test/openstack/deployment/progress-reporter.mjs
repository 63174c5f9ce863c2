// A Jest reporter: a line for each story as it ends, for those who wait.
export default class ProgressReporter {
  onTestFileStart({ path }) {
    process.stdout.write(`          ${path.split('/').at(-1)?.replace('.openstack-spec.ts', '')}\n`);
  }

  onTestCaseResult(_test, { status, fullName, duration }) {
    if (status === 'pending') return;
    const seconds = ((duration ?? 0) / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${seconds} s  ${status === 'passed' ? 'ok    ' : 'FAILED'}  ${fullName}\n`);
  }
}
