import { Controller, Get, Inject, Res } from '@nestjs/common';
import { toErrorRecord } from '@novella/core';
import type { FastifyReply } from 'fastify';
import { type NovaApiStore, PORTS } from '../ports.js';

/** For operators and load balancers, without authentication: 200 while the store answers, else 503. */
@Controller('health')
export class HealthController {
  constructor(@Inject(PORTS) private readonly io: { readonly store: NovaApiStore }) {}

  @Get()
  async health(@Res({ passthrough: true }) reply: FastifyReply): Promise<{ ready: boolean; reason: string | null }> {
    try {
      await this.io.store.services('nova-conductor');
      return { ready: true, reason: null };
    } catch (error) {
      reply.status(503);
      return { ready: false, reason: toErrorRecord(error).code };
    }
  }
}
