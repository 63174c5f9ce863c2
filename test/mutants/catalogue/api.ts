import type { Mutant } from '../run-mutants.js';

const API = 'apps/nova-api/src';
const EVENTS = `${API}/server-external-events`;
const WRITE = 'await this.io.store.acceptExternalEvents(decided, requesterOf(context));';
const HINT = 'if (decided.some(({ operation }) => operation !== null)) this.io.hint();';

/** What an accepted event has to wait for, and what it must not wait for. */
export const API_MUTANTS: readonly Mutant[] = [
  {
    name: 'an event is answered before it is written',
    file: `${EVENTS}/external-events.controller.ts`,
    from: WRITE,
    to: WRITE.replace('await ', 'void '),
    caughtBy: { spec: `${EVENTS}/accepted-is-written.spec.ts`, tests: 'only when it is written' },
  },
  {
    name: 'a conductor is hinted before the event is written',
    file: `${EVENTS}/external-events.controller.ts`,
    from: `${WRITE}\n    ${HINT}`,
    to: `${HINT}\n ${WRITE}`,
    caughtBy: { spec: `${EVENTS}/accepted-is-written.spec.ts`, tests: 'only when it is written' },
  },
  {
    name: 'no conductor is hinted',
    file: `${EVENTS}/external-events.controller.ts`,
    from: HINT,
    to: '',
    caughtBy: { spec: `${EVENTS}/external-events.controller.spec.ts`, tests: 'answers 200 with the events as posted' },
  },
  {
    name: 'hints pile up',
    file: `${API}/hint-sender.ts`,
    from: 'if (sending) again = true;\n    else send();',
    to: 'send();',
    caughtBy: { spec: `${API}/hint-sender.spec.ts`, tests: 'become one more after it' },
  },
  {
    name: 'what was committed while a hint was on its way is not hinted',
    file: `${API}/hint-sender.ts`,
    from: 'if (sending) again = true;',
    to: 'if (sending) again = false;',
    caughtBy: { spec: `${API}/hint-sender.spec.ts`, tests: 'become one more after it' },
  },
  {
    name: 'events for unknown servers are accepted',
    file: `${EVENTS}/decide-events.ts`,
    from: 'if (server === undefined) return 404;',
    to: 'if (server === undefined) return 200;',
    caughtBy: { spec: `${EVENTS}/decide-events.spec.ts`, tests: 'decideEvent' },
  },
];
