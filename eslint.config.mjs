import tseslint from 'typescript-eslint';

// Our own rules are numbered; each has a bad sample in test/rules/bad that must be caught.
const N1 = 'N1: a flow takes its time and chance from the Clock and Random ports, so that a test can drive them.';
const N2 = 'N2: only libs/service-kit reads the environment; an app hands its config down.';
const N3 = 'N3: states are const arrays or objects with a union type, never an enum.';
const N4 = 'N4: a lib names its exports one by one in its index.ts; `export *` hides cycles.';

const timeAndChance = [
  "MemberExpression[object.name='Date'][property.name='now']",
  "NewExpression[callee.name='Date'][arguments.length=0]",
  "CallExpression[callee.name='Date']",
  "MemberExpression[object.name='Math'][property.name='random']",
  'CallExpression[callee.name=/^(setTimeout|setInterval|setImmediate)$/]',
  'CallExpression[callee.property.name=/^(setTimeout|setInterval|setImmediate)$/]',
  ':matches(ImportDeclaration, ExportNamedDeclaration)[source.value=/^(node:)?timers/]',
  "MemberExpression[object.name='AbortSignal'][property.name='timeout']",
  "MemberExpression[object.name='performance'][property.name='now']",
  "MemberExpression[object.name='process'][property.name=/^(hrtime|uptime)$/]",
  "CallExpression[callee.name='randomUUID']",
  'MemberExpression[property.name=/^(randomUUID|randomBytes|randomInt|getRandomValues)$/]',
  'ImportSpecifier[imported.name=/^(randomUUID|randomBytes|randomInt|getRandomValues)$/]',
].map((selector) => ({ selector, message: N1 }));
const environment = [
  "MemberExpression[object.name='process'][property.name='env']",
  "VariableDeclarator[init.name='process'] > ObjectPattern > Property[key.name='env']",
  "ImportDeclaration[source.value=/^(node:)?process$/] > ImportSpecifier[imported.name='env']",
].map((selector) => ({ selector, message: N2 }));
const shape = [
  { selector: 'TSEnumDeclaration', message: N3 },
  { selector: 'ExportAllDeclaration', message: N4 },
];

export const engineFiles = ['apps/conductor/src/operations/**/*.ts', 'apps/compute/src/flows/**/*.ts'];
const specs = ['**/*.spec.ts', '**/*.int-spec.ts', '**/*.e2e-spec.ts', '**/*.proof-spec.ts'];

export default tseslint.config(
  { ignores: ['node_modules', 'dist', 'coverage', 'test/rules/bad', '**/*.mjs', '**/*.cjs'] },
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowNever: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // Nest declares the options that it takes as classes, and means their shape.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // Nest modules are classes whose whole content is a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
      'no-restricted-syntax': ['error', ...shape, ...environment],
    },
  },
  {
    files: engineFiles,
    ignores: specs,
    rules: { 'no-restricted-syntax': ['error', ...shape, ...environment, ...timeAndChance] },
  },
  { files: ['libs/service-kit/**/*.ts'], rules: { 'no-restricted-syntax': ['error', ...shape] } },
  {
    files: [...specs, 'test/**/*.ts', 'libs/testing/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...shape],
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-console': 'off',
    },
  },
);
