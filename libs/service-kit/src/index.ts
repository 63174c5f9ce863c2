export { systemClock, systemRandom } from './clock.js';
export { ConfigError, type ConfigFault, Env, type Environment, readConfig } from './config.js';
export { Health, type HealthPart, type HealthReport, type PartState } from './health.js';
export { createLog, type LogLevel, withFacts } from './log.js';
export { redact, redactText } from './redact.js';
export { type ProcessSignals, Shutdown, type ShutdownStep } from './shutdown.js';
