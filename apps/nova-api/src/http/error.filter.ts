import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Inject } from '@nestjs/common';
import { NovellaError } from '@novella/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { ApiFault, faultBody, type FaultStatus, HTTP_STATUS, webobAnswer } from './fault.js';
import { OpenQuestion } from './judge.js';

/** Every error of every request ends here. Only what is meant for the caller leaves; the rest is logged. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'log' | 'askPolicyServer'>) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    if (thrown instanceof OpenQuestion) {
      void this.beginAnew(thrown, request, reply);
      return;
    }
    // Its client went away while it sent; nobody reads the answer, and nothing of ours has failed.
    if (request.raw.readableAborted) {
      this.answer(reply, 400, 'The request is malformed.');
      return;
    }
    if (thrown instanceof HttpException || isFastifyError(thrown)) {
      // Nest and Fastify: no such route, a body that is too large, a request that HTTP itself forbids.
      const status = thrown instanceof HttpException ? thrown.getStatus() : thrown.statusCode;
      if (status === 404 || status === 413 || status === 503) {
        const answer = webobAnswer(status, request.headers.accept);
        void reply.status(status).header('content-type', answer.contentType).send(answer.body);
        return;
      }
      if (status >= 400 && status < 500) {
        this.answer(reply, status === 415 ? 415 : 400, 'The request is malformed.');
        return;
      }
    }
    const { status, message } = this.judge(thrown, request);
    this.answer(reply, status, message);
  }

  /**
   * A rule is decided by another server: when that one has answered, the request's handler is run again. Handlers ask for
   * permission before they change anything, so nothing happens twice. 503 when it does not answer.
   */
  private async beginAnew(
    { question, answer }: OpenQuestion,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    try {
      answer(await this.io.askPolicyServer(question));
    } catch {
      this.answer(reply, 503, 'The policy server does not answer. Please try again later.');
      return;
    }
    await request.routeOptions.handler.call(request.server, request, reply);
  }

  private judge(thrown: unknown, request: FastifyRequest): { status: FaultStatus; message: string } {
    if (thrown instanceof ApiFault) return { status: thrown.status, message: thrown.message };
    const status: FaultStatus = thrown instanceof NovellaError ? HTTP_STATUS[thrown.code] : 500;
    const requestId = request.call?.context.requestId;
    if (status < 500 && thrown instanceof NovellaError) return { status, message: thrown.message };
    this.io.log.error('request failed', { error: thrown, method: request.method, url: request.originalUrl, requestId });
    return status === 503
      ? { status, message: 'The service cannot do this now. Please try again later.' }
      : { status, message: 'Unexpected API Error. The request id names it in the log of this service.' };
  }

  private answer(reply: FastifyReply, status: FaultStatus, message: string): void {
    void reply
      .status(status)
      .header('content-type', 'application/json; charset=UTF-8')
      .send(JSON.stringify(faultBody(status, message)));
  }
}

const isFastifyError = (thrown: unknown): thrown is Error & { statusCode: number } =>
  thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('FST_') && 'statusCode' in thrown;
