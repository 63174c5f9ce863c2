export { type BrokerStanding, brokerTrouble, holdName, type NameLink } from './broker.js';
export { systemClock, systemRandom } from './clock.js';
export { ConfigError, type ConfigFault, Env, EnvGroup, type Environment, readConfig } from './config.js';
export {
  IsAbsolutePath,
  IsBrokerUrls,
  IsEndpoint,
  IsHexKey,
  IsHostName,
  IsListenAddress,
  IsLogLevel,
  IsLoopbackUnless,
  IsNoauthWithoutKeystone,
  IsPostgresUrl,
  IsSeconds,
  IsTcpPort,
} from './config-rules.js';
export { Health, type HealthCheck, type HealthPart, type HealthReport, type PartState, reasonOf } from './health.js';
export { cannotListen, type HealthServer, healthStatus, startHealthServer } from './health-server.js';
export { IdentitySettings, type KeystoneAccess, openStackAccess, type OpenStackAccess } from './identity-settings.js';
export { createLog, type LogLevel, withFacts } from './log.js';
export { endsWithin, printed, type Program, type ProgramConfig, runProgram } from './program.js';
export { redact, redactText } from './redact.js';
export { schemaMustServe } from './schema.js';
export { type ProcessSignals, Shutdown, type ShutdownStep } from './shutdown.js';
export { untilThere } from './until-there.js';
export { VERSION } from './version.js';
