import { Controller, Get, Inject, Res } from '@nestjs/common';
import { brokerTrouble, Health, type HealthReport } from '@novella/service-kit';
import type { FastifyReply } from 'fastify';
import { type NovaApiPorts, PORTS } from '../ports.js';

type HealthIo = Pick<NovaApiPorts, 'authenticator' | 'broker' | 'policy' | 'store'>;

/**
 * For operators and load balancers, without authentication: ready (200) while the store answers; degraded (200), with
 * the reason, while hints cannot be sent, nobody can be identified, or the policy files cannot be used; else 503. Live
 * (200) as long as it answers at all.
 */
@Controller('health')
export class HealthController {
  private readonly health = new Health();

  constructor(@Inject(PORTS) { store, broker, authenticator, policy }: HealthIo) {
    this.health.register('database').ask('not-ready', async () => {
      await store.services('nova-conductor');
      return null;
    });
    this.health.register('policy').ask('degraded', () => policy.trouble());
    const { trouble } = authenticator;
    if (trouble !== null) this.health.register('identity').ask('degraded', trouble);
    if (broker !== undefined) this.health.register('broker').ask('degraded', () => brokerTrouble(broker));
  }

  @Get(['', 'ready'])
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<HealthReport> {
    const report = await this.health.look();
    if (!report.ready) reply.status(503);
    return report;
  }

  @Get('live')
  live(): Promise<HealthReport> {
    return this.health.look();
  }
}
