import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import type { AskRemote } from '@novella/policy';
import { catchError, from, type Observable, switchMap } from 'rxjs';
import { PORTS } from '../ports.js';
import { ApiFault } from './fault.js';
import { OpenQuestion } from './judge.js';

/**
 * Where a rule is decided by another server, the request's handler is begun anew once that one has answered. Handlers ask
 * for permission before they change anything, so nothing happens twice. 503 when the server does not answer.
 */
@Injectable()
export class PolicyServerInterceptor implements NestInterceptor {
  constructor(@Inject(PORTS) private readonly io: { readonly askPolicyServer: AskRemote }) {}

  intercept(_context: ExecutionContext, handler: CallHandler): Observable<unknown> {
    return handler.handle().pipe(
      catchError((error: unknown, again) => {
        if (!(error instanceof OpenQuestion)) throw error;
        return from(this.answer(error)).pipe(switchMap(() => again));
      }),
    );
  }

  private async answer({ question, answer }: OpenQuestion): Promise<void> {
    const allowed = await this.io.askPolicyServer(question).catch((cause: unknown) => {
      throw new ApiFault(503, 'The policy server does not answer. Please try again later.', { cause });
    });
    answer(allowed);
  }
}
