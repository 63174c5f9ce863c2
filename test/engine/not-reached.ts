/**
 * Transitions that a flow would make from facts that nobody brings about, each group with what keeps them away. Each is
 * a guard: the tables of the flows' own specs have them.
 */
const NOT_REACHED: readonly { readonly because: string; readonly transitions: RegExp }[] = [
  {
    because: 'a delete waits for a build, so no server is deleted under its build',
    transitions: /^build (-|connect|on-host|off-host|complete|completed|release|reconnect) \(.+\): end failed$/,
  },
  {
    because: 'a delete ends the attaches that no host has and waits for those that one has',
    transitions:
      /^attach (-|connect|off-host|release|reconnect) \(.+\): end failed$|^attach on-host \((?!turn).+\): end failed$/,
  },
  {
    because: 'a delete ends the detaches that no host has and waits for those that one has',
    transitions:
      /^detach (-|begin|off-host|release|roll|rolled|reconnect) \(.+\): end succeeded$|^detach (-|reconnect) \(turn\): end failed$/,
  },
  {
    because: 'a delete ends the extends that no host has and waits for those that one has',
    transitions: /^extend on-host \(turn\): end failed$|^extend - \(stale\): end failed$/,
  },
  {
    because:
      'a delete, and of some a hard reboot, ends what changes the power unless a host does it, and waits for that',
    transitions:
      /^(start|stop|reboot|pause|unpause|suspend|resume) (- \(turn\)|on-host \((unfitting|stale)\)): end failed$/,
  },
  {
    because: 'a server has one delete, which alone marks it deleted',
    transitions: /^delete (-|off-host|release) \(turn\): end succeeded$/,
  },
  {
    because: 'attempt and fence tie an answer to its command',
    transitions:
      /^(build on-host \(deleted\)|build off-host \(built\)|attach on-host \(detached\)|attach off-host \(attached\)): advance/,
  },
  {
    because: 'no host was told before the first command, and one was told after it',
    transitions: /^build (-|connect) \(turn\): (advance off-host|wait host at off-host)$/,
  },
  {
    because: 'the connection is stored together with the step after it, and the reservation with the first',
    transitions:
      /^(build|attach) connect \(turn\): (dispatch on-host|wait (server-task|guest-start))$|^attach - \(turn\): (dispatch on-host|wait (server-task|guest-start))$|^attach on-host \(turn\): advance (connect|release)$/,
  },
  {
    because: 'what is about a volume waits for what changes the power, and a delete began after both',
    transitions: /^(start|stop|reboot|pause|unpause|suspend|resume|delete) (on|off)-host \(turn\): wait server-task$/,
  },
];

export const notReached = (name: string): boolean => NOT_REACHED.some(({ transitions }) => transitions.test(name));

/** Groups of which the product has none any more. */
export const outdated = (product: readonly string[]): string[] =>
  NOT_REACHED.filter(({ transitions }) => !product.some((name) => transitions.test(name))).map(
    ({ because }) => because,
  );
