import type { Mutant } from '../run-mutants.js';

const MESSAGING = 'libs/messaging/src';
const CONTRACTS = 'libs/contracts/src';
const rpcSpec = (tests: string): Mutant['caughtBy'] => ({ spec: `${MESSAGING}/rpc.spec.ts`, tests });
const deliverySpec = (tests: string): Mutant['caughtBy'] => ({
  spec: 'test/wire/delivery-of-each-method.spec.ts',
  tests,
});

/** How messages are sent, taken and acknowledged. */
export const MESSAGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'a message is acked when it is delivered',
    file: `${MESSAGING}/rpc-server.ts`,
    from: 'await this.dispatch(work, request);',
    to: 'delivery.ack();\n await this.dispatch(work, request);',
    caughtBy: rpcSpec('is acked only after'),
  },
  {
    name: 'a handler that fails gives its message back to the queue',
    file: `${MESSAGING}/rpc-server.ts`,
    from: "log.warn('a handler failed and is repeated', { ...facts, tries, delayMs: delay, error });",
    to: "this.link.drop('requeue');\n return;",
    caughtBy: rpcSpec('is repeated in place'),
  },
  {
    name: 'a consumer whose handler fails for the moment takes more messages',
    file: `${MESSAGING}/rpc-server.ts`,
    from: 'await work.consumer.pause(delay)',
    to: 'await Promise.resolve(() => Promise.resolve())',
    caughtBy: rpcSpec('is repeated in place'),
  },
  {
    name: 'a malformed message is acked before the dead letters have it',
    file: `${MESSAGING}/rpc-server.ts`,
    from: 'await deadLetter(this.link, work.delivery, reason);',
    to: 'deadLetter(this.link, work.delivery, reason).catch(() => undefined);',
    caughtBy: rpcSpec('while the dead letters cannot take it'),
  },
  {
    name: 'a redelivered message runs beside its first delivery',
    file: `${MESSAGING}/rpc-server.ts`,
    from: 'if (running?.settled === false) {',
    to: 'if (running?.settled === true) {',
    caughtBy: rpcSpec('joins the handler that still runs'),
  },
  {
    name: 'a message that came back counts as sent',
    file: `${MESSAGING}/rpc-client.ts`,
    from: "if (outcome === 'returned') {",
    to: 'if (outcome === null) {',
    caughtBy: rpcSpec('cast answers rpc-no-route'),
  },
  {
    name: 'expiry is not sent along',
    file: `${MESSAGING}/rpc-client.ts`,
    from: 'const expiry = expiresMs === undefined ? {} : { expirationMs: expiresMs };',
    to: 'const expiry = {};',
    caughtBy: rpcSpec('carries its expiry'),
  },
  {
    name: 'the delivery limit is an argument of our queues',
    file: `${MESSAGING}/topology.ts`,
    from: "arguments: { 'x-queue-type': 'quorum' } } as const;",
    to: "arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 20 } } as const;",
    caughtBy: { spec: `${MESSAGING}/topology.spec.ts`, tests: 'conductor -> queue' },
  },
  {
    name: 'queues are not durable',
    file: `${MESSAGING}/topology.ts`,
    from: 'const quorum = { durable: true,',
    to: 'const quorum = { durable: false,',
    caughtBy: { spec: `${MESSAGING}/topology.spec.ts`, tests: 'conductor -> queue' },
  },
  {
    name: 'commands to hosts are not mandatory',
    file: `${CONTRACTS}/compute.rpc.ts`,
    from: 'const command = { persistent: true, mandatory: true } as const;',
    to: 'const command = { persistent: true, mandatory: false } as const;',
    caughtBy: deliverySpec('extend_volume comes back'),
  },
  {
    name: 'commands to hosts do not outlive the broker',
    file: `${CONTRACTS}/compute.rpc.ts`,
    from: 'const command = { persistent: true, mandatory: true } as const;',
    to: 'const command = { persistent: false, mandatory: true } as const;',
    caughtBy: deliverySpec('extend_volume outlives'),
  },
  {
    name: 'results are not mandatory',
    file: `${CONTRACTS}/conductor.rpc.ts`,
    from: 'cast(operationResult, { persistent: true, mandatory: true })',
    to: 'cast(operationResult, { persistent: true, mandatory: false })',
    caughtBy: deliverySpec('operation_result comes back'),
  },
  {
    name: 'results do not outlive the broker',
    file: `${CONTRACTS}/conductor.rpc.ts`,
    from: 'cast(operationResult, { persistent: true, mandatory: true })',
    to: 'cast(operationResult, { persistent: false, mandatory: true })',
    caughtBy: deliverySpec('operation_result outlives'),
  },
  {
    name: 'heartbeats do not expire',
    file: `${CONTRACTS}/conductor.rpc.ts`,
    from: 'mandatory: true, expiresMs: REPORT_INTERVAL_MS',
    to: 'mandatory: true',
    caughtBy: deliverySpec('service_report is gone'),
  },
  {
    name: 'hints do not expire',
    file: `${CONTRACTS}/conductor.rpc.ts`,
    from: 'mandatory: false, expiresMs: 1_000',
    to: 'mandatory: false',
    caughtBy: deliverySpec('hint is gone'),
  },
];
