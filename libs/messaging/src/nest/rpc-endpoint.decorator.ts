import type { HandlersOf, RpcContract } from '@novella/contracts';
import { Catch, Controller, type RpcExceptionFilter, UseFilters } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { type Observable, throwError } from 'rxjs';

/** Binds the handlers of one contract to its strategy, so that several contracts fit into one Nest application. */
export const transportOf = (contract: RpcContract): symbol => Symbol.for(`novella.rpc.${contract.topic}`);

/** Nest would turn an error into a text for its own clients; the RPC server needs the error itself. */
@Catch()
class ErrorAsThrown implements RpcExceptionFilter {
  catch(thrown: unknown): Observable<never> {
    return throwError(() => thrown);
  }
}

/**
 * Makes a class a Nest controller whose methods, named as in the contract, are the handlers. Does not compile while a
 * method is missing or misfit; what types cannot see (two classes for one contract) the strategy reports at `listen`.
 */
export function RpcEndpoint<C extends RpcContract>(contract: C) {
  return (endpoint: new (...dependencies: never[]) => HandlersOf<C>): void => {
    Controller()(endpoint);
    UseFilters(ErrorAsThrown)(endpoint);
    const prototype = endpoint.prototype as Record<string, unknown>;
    for (const name of Object.keys(contract.methods)) {
      const handler = prototype[name];
      if (typeof handler !== 'function') continue;
      MessagePattern(name, transportOf(contract))(prototype, name, { value: handler });
      Payload()(prototype, name, 0);
      Ctx()(prototype, name, 1);
    }
  };
}
