import { z } from 'zod';

/** The two HTTP APIs as any client sees them: plain requests, a noauth token, the microversions that Cinder and Nova want. */
export const PROJECT = 'd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0';
export const TOKEN = `admin:${PROJECT}`;

const serverBody = z.object({ server: z.looseObject({ id: z.string(), status: z.string().optional() }) });
const serverDetail = z.object({
  server: z.looseObject({
    id: z.string(),
    status: z.string(),
    fault: z.looseObject({ message: z.string() }).optional(),
  }),
});
const volumeBody = z.object({ volume: z.looseObject({ id: z.string(), status: z.string(), size: z.number() }) });
const servicesBody = z.object({ services: z.array(z.looseObject({ host: z.string(), state: z.string() })) });
const actionsBody = z.object({
  instanceActions: z.array(
    z.looseObject({
      action: z.string(),
      request_id: z.string(),
      start_time: z.string(),
      message: z.string().nullable(),
    }),
  ),
});
const consoleBody = z.object({ output: z.string() });
const actionBody = z.object({
  instanceAction: z.looseObject({
    events: z.array(
      z.looseObject({ event: z.string(), result: z.string().nullable(), finish_time: z.string().nullable() }),
    ),
  }),
});

export class OpenStack {
  constructor(
    private readonly novaUrl: string,
    private readonly cinderUrl: string,
  ) {}

  async createServer(name: string, imageRef: string, flavorRef: string): Promise<string> {
    const body = { server: { name, imageRef, flavorRef, networks: 'none' } };
    return serverBody.parse(await this.nova('POST', '/servers', body)).server.id;
  }

  async createServerFromVolume(name: string, volume: string, flavorRef: string): Promise<string> {
    const boot = { uuid: volume, source_type: 'volume', destination_type: 'volume', boot_index: 0 };
    const body = { server: { name, flavorRef, networks: 'none', block_device_mapping_v2: [boot] } };
    return serverBody.parse(await this.nova('POST', '/servers', body)).server.id;
  }

  async serverAndHost(id: string): Promise<{ status: string; host: string }> {
    const { status, ...server } = serverDetail.parse(await this.nova('GET', `/servers/${id}`)).server;
    return { status, host: z.string().catch('').parse(server['OS-EXT-SRV-ATTR:host']) };
  }

  /** The names of the computes that are up. */
  async hostsUp(): Promise<string[]> {
    const response = await this.send(this.novaUrl, 'GET', '/os-services?binary=nova-compute', undefined);
    if (!response.ok) return [];
    const { services } = servicesBody.parse(await response.json());
    return services.filter(({ state }) => state === 'up').map(({ host }) => host);
  }

  /** As Cinder tells that a volume has grown. */
  async postExtended(server: string, volume: string): Promise<void> {
    const event = { name: 'volume-extended', server_uuid: server, tag: volume };
    await this.nova('POST', '/os-server-external-events', { events: [event] });
  }

  async setBootable(volume: string): Promise<void> {
    await this.cinder('POST', `/volumes/${volume}/action`, { 'os-set_bootable': { bootable: true } });
  }

  async server(id: string) {
    return serverDetail.parse(await this.nova('GET', `/servers/${id}`)).server;
  }

  async deleteServer(id: string): Promise<void> {
    await this.nova('DELETE', `/servers/${id}`);
  }

  /** False once the server can no longer be shown. */
  async hasServer(id: string): Promise<boolean> {
    const response = await this.send(this.novaUrl, 'GET', `/servers/${id}`, undefined);
    await response.body?.cancel();
    return response.status !== 404;
  }

  async attachVolume(server: string, volume: string): Promise<void> {
    await this.nova('POST', `/servers/${server}/os-volume_attachments`, { volumeAttachment: { volumeId: volume } });
  }

  async detachVolume(server: string, volume: string): Promise<void> {
    await this.nova('DELETE', `/servers/${server}/os-volume_attachments/${volume}`);
  }

  async start(server: string): Promise<void> {
    await this.action(server, { 'os-start': null });
  }

  async stop(server: string): Promise<void> {
    await this.action(server, { 'os-stop': null });
  }

  async reboot(server: string, type: 'SOFT' | 'HARD'): Promise<void> {
    await this.action(server, { reboot: { type } });
  }

  async consoleOutput(server: string, lines: number): Promise<string> {
    return consoleBody.parse(await this.action(server, { 'os-getConsoleOutput': { length: lines } })).output;
  }

  async actions(server: string) {
    return actionsBody.parse(await this.nova('GET', `/servers/${server}/os-instance-actions`)).instanceActions;
  }

  async actionEvents(server: string, requestId: string) {
    const answer = await this.nova('GET', `/servers/${server}/os-instance-actions/${requestId}`);
    return actionBody.parse(answer).instanceAction.events;
  }

  async createVolume(name: string, sizeGib: number, type?: string): Promise<string> {
    const typed = type === undefined ? {} : { volume_type: type };
    const answer = await this.cinder('POST', '/volumes', { volume: { name, size: sizeGib, ...typed } });
    return volumeBody.parse(answer).volume.id;
  }

  async volume(id: string) {
    return volumeBody.parse(await this.cinder('GET', `/volumes/${id}`)).volume;
  }

  async deleteVolume(id: string): Promise<void> {
    await this.cinder('DELETE', `/volumes/${id}`);
  }

  /** Answers the HTTP status: 202 when Cinder takes it, 400 when it does not. */
  async extendVolume(id: string, sizeGib: number): Promise<number> {
    const body = { 'os-extend': { new_size: sizeGib } };
    const response = await this.send(`${this.cinderUrl}/${PROJECT}`, 'POST', `/volumes/${id}/action`, body);
    await response.body?.cancel();
    return response.status;
  }

  private action(server: string, body: object): Promise<unknown> {
    return this.nova('POST', `/servers/${server}/action`, body);
  }

  private nova(method: string, path: string, body?: unknown): Promise<unknown> {
    return this.json(this.novaUrl, method, path, body);
  }

  private cinder(method: string, path: string, body?: unknown): Promise<unknown> {
    return this.json(`${this.cinderUrl}/${PROJECT}`, method, path, body);
  }

  private async json(base: string, method: string, path: string, body: unknown): Promise<unknown> {
    const response = await this.send(base, method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  private send(base: string, method: string, path: string, body: unknown): Promise<Response> {
    return fetch(base + path, {
      method,
      headers: {
        'X-Auth-Token': TOKEN,
        'OpenStack-API-Version': base === this.novaUrl ? 'compute 2.60' : 'volume 3.44',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
  }
}
