// Import direction: an allow-list per lib and app. A name that is not listed must not be imported.
// Each rule has a bad sample in test/rules/bad that must be caught.
const allowed = {
  'libs/core': [],
  'libs/contracts': ['core'],
  'libs/messaging': ['core', 'contracts'],
  'libs/persistence': ['core'],
  'libs/cinder': ['core'],
  'libs/keystone': ['core'],
  'libs/image': ['core'],
  'libs/glance': ['core', 'image'],
  'libs/sealing': ['core'],
  'libs/policy': ['core'],
  'libs/libvirt': ['core'],
  'libs/brick': ['core', 'image'],
  'libs/virt': ['core', 'brick', 'libvirt'],
  'libs/service-kit': ['core'],
  'libs/testing': [
    'core',
    'contracts',
    'messaging',
    'persistence',
    'cinder',
    'image',
    'glance',
    'libvirt',
    'brick',
    'virt',
    'sealing',
    'policy',
    'service-kit',
  ],
  'apps/nova-api': [
    'core',
    'contracts',
    'messaging',
    'persistence',
    'cinder',
    'image',
    'glance',
    'keystone',
    'policy',
    'service-kit',
  ],
  'apps/conductor': [
    'core',
    'contracts',
    'messaging',
    'persistence',
    'cinder',
    'image',
    'glance',
    'keystone',
    'sealing',
    'service-kit',
  ],
  'apps/compute': ['core', 'contracts', 'messaging', 'image', 'brick', 'virt', 'libvirt', 'sealing', 'service-kit'],
  'apps/manage': ['core', 'contracts', 'messaging', 'persistence', 'policy', 'service-kit'],
  'apps/cluster': ['core', 'keystone', 'persistence', 'virt', 'testing', 'service-kit'],
  'apps/cinder-dev': ['core', 'service-kit'],
  'apps/standalone': [
    'core',
    'contracts',
    'messaging',
    'persistence',
    'cinder',
    'image',
    'glance',
    'virt',
    'libvirt',
    'brick',
    'sealing',
    'policy',
    'service-kit',
  ],
};
// Specs, and suites that several specs share.
const TESTS = '\\.(int-|e2e-|proof-)?spec\\.ts$|/conformance/';

// The demo and the bench bring their own hypervisor, broker and guest, as tests do; so does the dev cluster.
const DEMO = '^apps/standalone/src/(demo|bench)/';
const DEV_CLUSTER = '^apps/cluster/';

const directions = Object.entries(allowed).map(([from, libs]) => ({
  name: `import-direction-${from.replace('/', '-')}`,
  comment: `${from} may import only: ${libs.join(', ') || 'nothing of ours'}, each by its index`,
  severity: 'error',
  from: { path: `^${from}/src/`, pathNot: [TESTS, DEMO] },
  to: {
    // What an app may import of other apps is a rule of its own, below.
    path: from.startsWith('apps/') ? '^libs/' : '^(libs|apps)/',
    pathNot: [`^${from}/`, ...libs.map((lib) => `^libs/${lib}/src/index\\.ts$`)],
  },
}));

module.exports = {
  forbidden: [
    ...directions,
    {
      name: 'import-direction-unlisted',
      comment: 'A new lib or app says in the list above what it may import.',
      severity: 'error',
      from: { path: '^(libs|apps)/', pathNot: Object.keys(allowed).map((listed) => `^${listed}/`) },
      to: { path: '^(libs|apps)/' },
    },
    {
      name: 'deep-import',
      comment: 'Also specs and the demo import another lib by its index.',
      severity: 'error',
      from: { path: '^(libs/[^/]+|apps/[^/]+)/' },
      to: { path: '^libs/', pathNot: ['^$1/', '^libs/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'app-imports-app',
      comment: 'An app never imports an app; standalone alone composes them.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/', pathNot: '^apps/standalone/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'amqplib-only-in-messaging',
      comment: 'One lib per outside system: only libs/messaging talks AMQP.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/messaging/' },
      to: { path: 'node_modules/amqplib' },
    },
    {
      name: 'typeorm-only-in-persistence',
      comment: 'One lib per outside system: only libs/persistence knows TypeORM and pg.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/(persistence|testing)/' },
      to: { path: 'node_modules/(typeorm|pg)/' },
    },
    {
      name: 'core-knows-no-io',
      comment: 'core is pure: no Nest, no node built-ins; zod is its only package.',
      severity: 'error',
      from: { path: '^libs/(core|contracts)/src/', pathNot: TESTS },
      to: { dependencyTypes: ['npm', 'core'], pathNot: 'node_modules/zod' },
    },
    {
      name: 'testing-only-from-tests',
      comment:
        'Only specs, test/, the demo, the bench and the dev cluster use the test harness; only specs what specs share.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/testing/', TESTS, DEMO, DEV_CLUSTER] },
      to: { path: `^libs/testing/|${TESTS}`, pathNot: 'node_modules' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'not-to-dev-dependency',
      comment: 'What runs in production is a dependency of package.json, not a dev or a dependency of a dependency.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/testing/', TESTS] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|test/rules/bad)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
