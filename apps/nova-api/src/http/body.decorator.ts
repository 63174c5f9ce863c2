import { createParamDecorator, type ExecutionContext, Injectable, type PipeTransform } from '@nestjs/common';
import type { ArgumentMetadata } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { parseBody } from './parse-request.js';
import { type ApiCall, callOf } from './request-context.js';

interface RawBody {
  readonly body: unknown;
  readonly call: ApiCall;
}

/** Parses into the class that the parameter is declared with. */
@Injectable()
class BodyPipe implements PipeTransform<RawBody, object> {
  transform({ body, call }: RawBody, { metatype }: ArgumentMetadata): object {
    if (metatype === undefined) throw new Error('a request body needs a class as its type');
    return parseBody(metatype as new () => object, body, call);
  }
}

const raw = createParamDecorator((_: unknown, at: ExecutionContext): RawBody => {
  const request = at.switchToHttp().getRequest<FastifyRequest>();
  return { body: request.body ?? null, call: callOf(request) };
});

/** The request's body as the class of the parameter, or a 400. */
export const RequestBody = (): ParameterDecorator => raw(BodyPipe);
