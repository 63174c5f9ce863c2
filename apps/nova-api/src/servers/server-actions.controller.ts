import { Body, Controller, HttpCode, Inject, Param, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { actionOf, noSuchAction } from '../http/action.js';
import { parseBody } from '../http/parse-request.js';
import { authorize, type RuleName } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { consoleOutput } from './console-output.js';
import type { PowerAction } from './decide-power.js';
import { lockServer, refuseLocked, unlockServer } from './lock-server.js';
import { requestPower } from './request-power.js';
import { ConsoleOutputBody, RebootBody } from './server-action.dto.js';
import { visibleInstance } from './visible-instance.js';

/** What a server is told to do: one key in the body names it. */
@Controller('v2.1/servers/:id/action')
export class ServerActionsController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store' | 'hint' | 'compute' | 'log'>) {}

  @Post()
  @HttpCode(202)
  async act(
    @Call() call: ApiCall,
    @Param('id') id: string,
    @Body() body: unknown,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const action = actionOf(body);
    switch (action) {
      case 'os-start':
        return this.power(call, id, 'start', 'os_compute_api:servers:start');
      case 'os-stop':
        return this.power(call, id, 'stop', 'os_compute_api:servers:stop');
      case 'reboot': {
        const { type } = parseBody(RebootBody, body, call).reboot;
        const how = type.toUpperCase() === 'HARD' ? 'hard-reboot' : 'soft-reboot';
        return this.power(call, id, how, 'os_compute_api:servers:reboot');
      }
      case 'pause':
      case 'unpause':
        return this.power(call, id, action, `os_compute_api:os-pause-server:${action}`);
      case 'suspend':
      case 'resume':
        return this.power(call, id, action, `os_compute_api:os-suspend-server:${action}`);
      case 'lock':
        return lockServer(this.io.store, call, await this.server(call, id, 'os_compute_api:os-lock-server:lock'), body);
      case 'unlock':
        return unlockServer(this.io.store, call, await this.server(call, id, 'os_compute_api:os-lock-server:unlock'));
      case 'os-getConsoleOutput': {
        const { length } = parseBody(ConsoleOutputBody, body, call)['os-getConsoleOutput'];
        const server = await this.server(call, id, 'os_compute_api:os-console-output');
        reply.status(200);
        return { output: await consoleOutput(this.io, server, length ?? null) };
      }
      default:
        throw noSuchAction(action);
    }
  }

  private async power(call: ApiCall, id: string, action: PowerAction, rule: RuleName): Promise<void> {
    const server = await this.server(call, id, rule);
    refuseLocked(server, call.context);
    await requestPower(this.io, call, server, action);
  }

  private async server(call: ApiCall, id: string, rule: RuleName) {
    const server = await visibleInstance(this.io.store, call.context, id);
    authorize(call.context, rule, server);
    return server;
  }
}
