import { Controller, Delete, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import type { UserId } from '@novella/core';
import type { FastifyReply } from 'fastify';
import { RequestBody } from '../http/body.decorator.js';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { nextPageLink, pageLimit } from '../http/paging.js';
import { parseQuery } from '../http/parse-request.js';
import { authorize, type RuleName } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { createKeyPair } from './create-key-pair.js';
import { CreateKeyPairBody, KeyPairQuery, ListKeyPairsQuery } from './key-pairs.dto.js';
import { keyPairSummaryView, keyPairView, newKeyPairView } from './key-pair.view.js';

/** Key pairs belong to a user: the caller, or from 2.10 one that an administrator names. */
@Controller('v2.1/os-keypairs')
export class KeyPairsController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store' | 'config'>) {}

  @Post()
  async create(
    @Call() call: ApiCall,
    @RequestBody() { keypair }: CreateKeyPairBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const userId = this.owner(call, keypair.user_id, 'os_compute_api:os-keypairs:create');
    const { name, type = 'ssh', public_key: publicKey } = keypair;
    const made = await createKeyPair(this.io.store, userId, { name, type, publicKey });
    reply.status(has(call.microversion, 'keypairs.type') ? 201 : 200);
    return { keypair: newKeyPairView(made.keyPair, made.privateKey, call) };
  }

  @Get()
  async list(@Call() call: ApiCall, @Query() rawQuery: unknown) {
    const query = parseQuery(ListKeyPairsQuery, rawQuery, call, this.unknownKeys(call));
    const userId = this.owner(call, query.user_id, 'os_compute_api:os-keypairs:index');
    const paged = has(call.microversion, 'keypairs.paging');
    const limit = paged ? pageLimit(query.limit, this.io.config.maxLimit) : Number.MAX_SAFE_INTEGER;
    const marker = paged ? (query.marker ?? null) : null;
    const keyPairs = await this.io.store.keyPairs(userId, { limit, marker });
    if (keyPairs === 'unknown-marker') throw new ApiFault(400, `Marker ${marker ?? ''} could not be found.`);
    const last = keyPairs.at(-1);
    const full = paged && last !== undefined && keyPairs.length === limit;
    return {
      keypairs: keyPairs.map((keyPair) => ({ keypair: keyPairSummaryView(keyPair, call) })),
      ...(full ? { keypairs_links: nextPageLink(call.links, '/os-keypairs', query, last.name) } : {}),
    };
  }

  @Get(':name')
  async show(@Call() call: ApiCall, @Param('name') name: string, @Query() rawQuery: unknown) {
    const query = parseQuery(KeyPairQuery, rawQuery, call, this.unknownKeys(call));
    const userId = this.owner(call, query.user_id, 'os_compute_api:os-keypairs:show');
    const keyPair = await this.io.store.keyPair(userId, name);
    if (keyPair === null) throw noSuchKeyPair(name, userId);
    return { keypair: keyPairView(keyPair, call) };
  }

  @Delete(':name')
  async delete(
    @Call() call: ApiCall,
    @Param('name') name: string,
    @Query() rawQuery: unknown,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const query = parseQuery(KeyPairQuery, rawQuery, call, this.unknownKeys(call));
    const userId = this.owner(call, query.user_id, 'os_compute_api:os-keypairs:delete');
    if ((await this.io.store.deleteKeyPair(userId, name)) === 'not-found') throw noSuchKeyPair(name, userId);
    reply.status(has(call.microversion, 'keypairs.type') ? 204 : 202);
  }

  /** Whose key pairs are meant; 403 when the caller may not touch them. */
  private owner({ context, microversion }: ApiCall, asked: string | undefined, rule: RuleName): UserId {
    const named = has(microversion, 'keypairs.of-another-user') && asked !== undefined && asked !== '';
    const userId = named ? (asked as UserId) : context.userId;
    authorize(context, rule, { projectId: null, userId });
    return userId;
  }

  private unknownKeys({ microversion }: ApiCall): { unknownKeys: 'refuse' | 'drop' } {
    return { unknownKeys: has(microversion, 'strict-queries') ? 'refuse' : 'drop' };
  }
}

const noSuchKeyPair = (name: string, userId: UserId): ApiFault =>
  new ApiFault(404, `Keypair ${name} not found for user ${userId}`);
