import tseslint from 'typescript-eslint';

// Our own rules are numbered; each has a bad sample in test/rules/bad that must be caught.
const N1 = 'N1: a flow takes its time and chance from the Clock and Random ports, so that a test can drive them.';
const N2 = 'N2: only libs/service-kit reads the environment; an app hands its config down.';

const timeAndChance = [
  { selector: "MemberExpression[object.name='Date'][property.name='now']", message: N1 },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: N1 },
  { selector: "MemberExpression[object.name='Math'][property.name='random']", message: N1 },
  { selector: 'CallExpression[callee.name=/^(setTimeout|setInterval|setImmediate)$/]', message: N1 },
  { selector: "MemberExpression[object.name='performance'][property.name='now']", message: N1 },
  { selector: "CallExpression[callee.name='randomUUID']", message: N1 },
];
const environment = { selector: "MemberExpression[object.name='process'][property.name='env']", message: N2 };

export const engineFiles = ['apps/conductor/src/operations/**/*.ts', 'apps/compute/src/flows/**/*.ts'];
const specs = ['**/*.spec.ts', '**/*.int-spec.ts', '**/*.e2e-spec.ts'];

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
      // Nest modules are classes whose whole content is a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
      'no-restricted-syntax': ['error', environment],
    },
  },
  { files: engineFiles, ignores: specs, rules: { 'no-restricted-syntax': ['error', environment, ...timeAndChance] } },
  { files: ['libs/service-kit/**/*.ts'], rules: { 'no-restricted-syntax': 'off' } },
  {
    files: [...specs, 'test/**/*.ts', 'libs/testing/**/*.ts'],
    rules: { 'no-restricted-syntax': 'off', '@typescript-eslint/no-non-null-assertion': 'off', 'no-console': 'off' },
  },
);
