// Three rings: `unit` needs nothing, `integration` needs a Postgres (libs/testing starts one), `e2e` needs a hypervisor.
// `openstack` needs all of OpenStack, which only `npm run test:openstack` brings up; `proofs` are of the tests
// themselves and of what they stand on: `npm run proofs`.
const shared = {
  testEnvironment: 'node',
  transform: { '^.+\\.ts$': '@swc/jest' },
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^@novella/([^/]+)$': '<rootDir>/libs/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  setupFiles: ['<rootDir>/libs/testing/src/jest-setup.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/test/rules/bad/'],
  modulePathIgnorePatterns: ['/dist/'],
};

export default {
  // A test says what it waits for; how fast the machine is must not decide.
  testTimeout: 60_000,
  reporters: ['default', '<rootDir>/deploy/machine/summary-reporter.mjs'],
  projects: [
    { ...shared, displayName: 'unit', testRegex: '\\.spec\\.(ts|mjs)$' },
    { ...shared, displayName: 'integration', testRegex: '\\.int-spec\\.ts$' },
    { ...shared, displayName: 'e2e', testRegex: '\\.e2e-spec\\.ts$' },
    { ...shared, displayName: 'proofs', testRegex: '\\.proof-spec\\.ts$' },
    { ...shared, displayName: 'openstack', testRegex: '\\.openstack-spec\\.ts$' },
  ],
};
