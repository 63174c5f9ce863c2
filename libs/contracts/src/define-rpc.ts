import type { z } from 'zod';

/**
 * An RPC contract is written once; the typed client and the handlers' type fall out of it. Names follow oslo.messaging:
 * a cast has no answer, a call waits for one; a topic names a kind of server, `<topic>.<host>` one of them.
 */
export interface CastDefinition<Args> {
  readonly kind: 'cast';
  readonly args: z.ZodType<Args>;
  /** Survives a broker restart. Only a hint or a heartbeat, whose loss costs nothing but time, is not persistent. */
  readonly persistent: boolean;
  /** A message that no queue takes comes back to the sender as `rpc-no-route` instead of vanishing. */
  readonly mandatory: boolean;
  /** The broker drops the message when nobody took it for so long. */
  readonly expiresMs?: number;
}

export interface CallDefinition<Args, Result> {
  readonly kind: 'call';
  readonly args: z.ZodType<Args>;
  readonly result: z.ZodType<Result>;
  readonly timeoutMs: number;
}

// `any` is what lets a record hold definitions of different argument types; every use below infers them back.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type MethodDefinition = CastDefinition<any> | CallDefinition<any, any>;

export interface RpcContract<Methods extends Record<string, MethodDefinition> = Record<string, MethodDefinition>> {
  readonly topic: string;
  /** "major.minor" as oslo.messaging compares it: majors equal, the sender's minor not above the receiver's. */
  readonly version: string;
  readonly methods: Methods;
}

export type ArgsOf<M extends MethodDefinition> = z.output<M['args']>;
export type ResultOf<M extends MethodDefinition> = M extends { kind: 'call'; result: z.ZodType<infer Result> }
  ? Result
  : // A cast's handler and client answer nothing.
    // eslint-disable-next-line @typescript-eslint/no-invalid-void-type
    void;

/** What a client of the contract offers for one target: a cast settles on the broker's confirm, a call on its reply. */
export type ClientOf<C extends RpcContract> = {
  readonly [Name in keyof C['methods']]: (args: ArgsOf<C['methods'][Name]>) => Promise<ResultOf<C['methods'][Name]>>;
};

/** What a server of the contract implements. A cast is acknowledged when its handler has resolved. */
export type HandlersOf<C extends RpcContract> = {
  [Name in keyof C['methods']]: (
    args: ArgsOf<C['methods'][Name]>,
    message: MessageFacts,
  ) => Promise<ResultOf<C['methods'][Name]>>;
};

/** What the transport knows of a message besides its arguments. */
export interface MessageFacts {
  /** The request that the work belongs to (`_context_request_id`), if the sender named one. */
  readonly requestId: string | null;
  /** True when the broker says that the message was delivered before. */
  readonly redelivered: boolean;
  /** The broker user that published it (AMQP user_id), which the broker itself has checked. */
  readonly userId: string | null;
}

export function cast<Args>(
  args: z.ZodType<Args>,
  options: { persistent: boolean; mandatory: boolean; expiresMs?: number },
): CastDefinition<Args> {
  return { kind: 'cast', args, ...options };
}

export function call<Args, Result>(
  args: z.ZodType<Args>,
  result: z.ZodType<Result>,
  options: { timeoutMs: number },
): CallDefinition<Args, Result> {
  return { kind: 'call', args, result, ...options };
}

export function defineRpc<const Methods extends Record<string, MethodDefinition>>(
  contract: RpcContract<Methods>,
): RpcContract<Methods> {
  return Object.freeze(contract);
}
