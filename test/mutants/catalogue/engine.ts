import type { Mutant } from '../run-mutants.js';

const CONDUCTOR = 'apps/conductor/src';
const OPERATIONS = `${CONDUCTOR}/operations`;
const ENGINE_SPEC = `${OPERATIONS}/engine.spec.ts`;
const TURNS_SPEC = `${OPERATIONS}/turns.spec.ts`;
const ENDPOINT_SPEC = `${CONDUCTOR}/conductor.endpoint.spec.ts`;

const VERIFYING = {
  operation_result: 'if (this.conductor.verifySender) onlyFromHost(result.host, message);',
  service_report: 'if (this.conductor.verifySender) onlyFromHost(report.host, message);',
  power_state_changed: 'if (this.conductor.verifySender) onlyFromHost(change.host, message);',
} as const;

/** The operation engine, whatever the kind of operation. */
export const ENGINE_MUTANTS: readonly Mutant[] = [
  {
    name: 'the engine looks for work only when it is hinted',
    file: `${OPERATIONS}/engine.ts`,
    from: 'await this.io.clock.sleep(pause, this.nap.signal).catch(() => undefined);',
    to: "await new Promise<void>((resolve) => this.nap.signal.addEventListener('abort', () => resolve()));",
    caughtBy: { spec: ENGINE_SPEC, tests: 'once in every sweep' },
  },
  {
    name: 'the engine does not look earlier than its sweep',
    file: `${OPERATIONS}/engine.ts`,
    from: 'Math.min(next ?? this.options.sweep, this.options.sweep)',
    to: 'this.options.sweep',
    caughtBy: { spec: ENGINE_SPEC, tests: 'when an operation is due by itself' },
  },
  {
    name: 'a hint that comes while the engine looks is forgotten',
    file: `${OPERATIONS}/engine.ts`,
    from: 'if (!this.hinted && !this.stopping',
    to: 'if (!this.stopping',
    caughtBy: { spec: ENGINE_SPEC, tests: 'also when the hint comes while it looks' },
  },
  {
    name: 'an engine that starts leaves what its last run held to the leases',
    file: `${OPERATIONS}/engine.ts`,
    from: 'await this.takeOverFromLastRun();',
    to: '',
    caughtBy: { spec: ENGINE_SPEC, tests: 'what the last run of its name held' },
  },
  {
    name: "a host's answer is acked before it is recorded",
    file: `${OPERATIONS}/engine.ts`,
    from: 'await this.turns.run(operation, outcome);',
    to: 'this.turns.run(operation, outcome).catch(() => undefined);',
    caughtBy: { spec: ENGINE_SPEC, tests: 'is not taken while it cannot be recorded' },
  },
  {
    name: "the endpoint acks a host's answer before the engine has it",
    file: `${CONDUCTOR}/conductor.endpoint.ts`,
    from: 'await this.conductor.engine.answer(result);',
    to: 'this.conductor.engine.answer(result).catch(() => undefined);',
    caughtBy: { spec: ENDPOINT_SPEC, tests: 'only when it was recorded' },
  },
  {
    name: 'a deadline is taken as failure',
    file: `${OPERATIONS}/turns.ts`,
    from: 'plan = flow.decide(turn, ',
    to: "if (operation.state === 'dispatched' && answer === null) throw serverRowMissing(operation);\n plan = flow.decide(turn, ",
    caughtBy: {
      spec: 'test/engine/break-every-call.spec.ts',
      tests: 'one conductor a detach whose first answer is lost ends as',
    },
  },
  {
    name: 'a command whose confirm was lost counts as not sent',
    file: `${OPERATIONS}/turns.ts`,
    from: "if (error.code === 'rpc-no-route') {",
    to: "if (error.code === 'rpc-no-route' || error.code === 'broker-unreachable') {",
    caughtBy: { spec: TURNS_SPEC, tests: 'keeps the attempt of a command' },
  },
  {
    name: 'a command that was returned counts as sent',
    file: `${OPERATIONS}/turns.ts`,
    from: "if (error.code === 'rpc-no-route') {",
    to: "if (error.code === 'internal') {",
    caughtBy: { spec: TURNS_SPEC, tests: 'takes a command that no queue took for not sent' },
  },
  {
    name: 'a command is noted as sent before the broker has confirmed it',
    file: `${OPERATIONS}/turns.ts`,
    from: 'await this.send(plan.host, plan.command, tokenOf(dispatched));',
    to: 'await store.markSent(dispatched);\n await this.send(plan.host, plan.command, tokenOf(dispatched));',
    caughtBy: { spec: TURNS_SPEC, tests: 'stores that a command is sent before' },
  },
  {
    name: 'a step of the conductor runs before it is stored',
    file: `${OPERATIONS}/turns.ts`,
    from: 'const owned = await store.advance(turn.operation, {',
    to: 'await flow.run?.(plan.step, turn, this.flowIo);\n const owned = await store.advance(turn.operation, {',
    caughtBy: { spec: TURNS_SPEC, tests: 'stores a step of its own before it runs it' },
  },
  {
    name: 'a guest that was read back with too little after a start is left so',
    file: `${OPERATIONS}/turns.ts`,
    from: 'for (const volumeId of behind) await openSystemExtend(',
    to: 'for (const volumeId of behind.slice(behind.length)) await openSystemExtend(',
    caughtBy: {
      spec: 'test/engine/break-every-call.spec.ts',
      tests: 'one conductor a start of a guest that does not see that its volume has grown ends as',
    },
  },
  {
    name: 'a host that comes back wakes nobody',
    file: `${CONDUCTOR}/hosts/host-reports.ts`,
    from: "await io.store.wake({ for: 'host', host: report.host })",
    to: 'await Promise.resolve(0)',
    caughtBy: { spec: `${CONDUCTOR}/hosts/host-returns.spec.ts`, tests: 'wakes at once' },
  },
  {
    name: 'a host that starts anew is not sent again what it had',
    file: `${CONDUCTOR}/hosts/host-reports.ts`,
    from: "phase === 'starting' ? await io.store.takeOver({ host: report.host }) : 0",
    to: '0',
    caughtBy: { spec: `${CONDUCTOR}/hosts/host-returns.spec.ts`, tests: 'is sent again what it had' },
  },
  {
    name: 'a Cinder that comes back wakes nobody',
    file: `${CONDUCTOR}/cinder-volume-service.ts`,
    from: '        onReturn();\n',
    to: '',
    caughtBy: { spec: `${CONDUCTOR}/cinder-volume-service.spec.ts`, tests: 'is noticed once' },
  },
  ...(['operation_result', 'service_report', 'power_state_changed'] as const).map((method): Mutant => ({
    name: `verify_sender off for ${method}`,
    file: `${CONDUCTOR}/conductor.endpoint.ts`,
    from: VERIFYING[method],
    to: '',
    caughtBy: { spec: ENDPOINT_SPEC, tests: 'what a host says is refused from compute-other' },
  })),
  {
    name: 'an unsure error ends an operation at its first time',
    file: `${OPERATIONS}/retry.ts`,
    from: "if (error.grade !== 'unsure') return true;",
    to: 'return true;',
    caughtBy: { spec: `${OPERATIONS}/extend.spec.ts`, tests: 'too small after three tries' },
  },
  {
    name: 'somebody who does not answer is believed to have failed',
    file: `${OPERATIONS}/retry.ts`,
    from: 'if (AWAY.includes(error.code)) return false;',
    to: '',
    caughtBy: { spec: `${OPERATIONS}/detach.spec.ts`, tests: 'never to believe a hypervisor' },
  },
  {
    name: 'retries have no jitter',
    file: `${OPERATIONS}/retry.ts`,
    from: '(0.5 + random.fraction() / 2)',
    to: '1',
    caughtBy: { spec: `${OPERATIONS}/retry.spec.ts`, tests: 'backoff' },
  },
  {
    name: 'the reconciler asks again for what was refused with the same facts',
    file: `${OPERATIONS}/reconciler.ts`,
    from: 'return !sameAsRefused;',
    to: 'return true;',
    caughtBy: { spec: `${OPERATIONS}/reconciler.spec.ts`, tests: 'with the facts that were refused' },
  },
];
