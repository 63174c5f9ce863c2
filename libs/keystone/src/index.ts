export { type AccessRule } from './access-rules.js';
export { type ValidatedToken } from './answers.js';
export { type ServiceKind, type WhichEndpoint } from './catalog.js';
export { type Checked, type TokensOffered } from './check-tokens.js';
export {
  type CheckerOptions,
  createKeystone,
  type Keystone,
  type KeystoneOptions,
  type TokenChecker,
} from './keystone.js';
export { type Credentials, type OwnToken } from './own-tokens.js';
