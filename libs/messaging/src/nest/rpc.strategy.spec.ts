import { describe, expect, it } from '@jest/globals';
import { call, cast, defineRpc, type HandlersOf, type MessageFacts } from '@novella/contracts';
import { type HostName, NovellaError } from '@novella/core';
import { Controller, type INestMicroservice, Inject, Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type CustomTransportStrategy, MessagePattern, type MicroserviceOptions } from '@nestjs/microservices';
import { z } from 'zod';
import { seededRandom, virtualClock } from '@novella/testing';
import { InMemoryBroker } from '../in-memory-broker.js';
import { rpcClient } from '../rpc-client.js';
import { RpcServer } from '../rpc-server.js';
import { DEAD_LETTER } from '../topology.js';
import { RpcEndpoint } from './rpc-endpoint.decorator.js';
import { handlerFaults, RpcStrategy } from './rpc.strategy.js';

const contract = defineRpc({
  topic: 'compute',
  version: '1.0',
  methods: {
    grow: cast(z.object({ volume: z.string() }), { persistent: true, mandatory: true }),
    ping: call(z.object({ text: z.string() }), z.object({ text: z.string() }), { timeoutMs: 10_000 }),
  },
});
const otherContract = defineRpc({ ...contract, topic: 'conductor' });
const HOST = 'host-1' as HostName;

@Injectable()
class Journal {
  readonly entries: unknown[] = [];
}

@RpcEndpoint(contract)
class Endpoint implements HandlersOf<typeof contract> {
  constructor(@Inject(Journal) private readonly journal: Journal) {}

  grow(args: { volume: string }, facts: MessageFacts): Promise<void> {
    this.journal.entries.push({ args, facts });
    if (args.volume === 'gone') throw new NovellaError('volume-not-found', 'gone', { volume: args.volume });
    return Promise.resolve();
  }

  ping({ text }: { text: string }): Promise<{ text: string }> {
    if (text === 'fail') return Promise.reject(new NovellaError('paths-down', 'no path', { paths: 0 }));
    return Promise.resolve({ text: `${text}!` });
  }
}

@RpcEndpoint(contract)
class SecondEndpoint extends Endpoint {
  override grow(): Promise<void> {
    return Promise.resolve();
  }
  override ping({ text }: { text: string }): Promise<{ text: string }> {
    return Promise.resolve({ text });
  }
}

@RpcEndpoint(otherContract)
class OtherEndpoint implements HandlersOf<typeof otherContract> {
  grow(): Promise<void> {
    return Promise.resolve();
  }
  ping({ text }: { text: string }): Promise<{ text: string }> {
    return Promise.resolve({ text: `other ${text}` });
  }
}

@Controller()
class Stranger {
  @MessagePattern('shrink')
  shrink(): void {
    throw new Error('never reached');
  }
}

const microservice = (module: Type, strategy: CustomTransportStrategy): Promise<INestMicroservice> =>
  NestFactory.createMicroservice<MicroserviceOptions>(module, { strategy, logger: false, abortOnError: false });

async function application(controllers: Type[], serverHost: HostName | null = HOST) {
  @Module({ controllers, providers: [Journal] })
  class AppModule {}
  const clock = virtualClock();
  const random = seededRandom(1);
  const silent = () => undefined;
  const options = { clock, random, log: { debug: silent, info: silent, warn: silent, error: silent } };
  const broker = new InMemoryBroker({ clock });
  const link = broker.connect();
  const strategy = new RpcStrategy(link, contract, serverHost, options);
  const app = await microservice(AppModule, strategy);
  const client = rpcClient(broker.connect('conductor'), contract, options);
  return { app, strategy, broker, link, client, options };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('a Nest microservice on the in-memory link', () => {
  it('answers a call from its endpoint', async () => {
    const { app, client } = await application([Endpoint]);
    await app.listen();
    await expect(client.to(HOST).ping({ text: 'a' })).resolves.toEqual({ text: 'a!' });
    await app.close();
  });

  it('hands a cast to its endpoint with what is known of the message', async () => {
    const { app, client } = await application([Endpoint]);
    await app.listen();
    await client.with({ requestId: 'req-1' }).to(HOST).grow({ volume: 'v' });
    await turns();
    expect(app.get(Journal).entries).toEqual([
      { args: { volume: 'v' }, facts: { requestId: 'req-1', redelivered: false, userId: 'conductor' } },
    ]);
    await app.close();
  });

  it('keeps the code of what an endpoint throws, so that a call is answered with it', async () => {
    const { app, client } = await application([Endpoint]);
    await app.listen();
    await expect(client.to(HOST).ping({ text: 'fail' })).rejects.toMatchObject({
      code: 'paths-down',
      facts: { paths: 0 },
    });
    await app.close();
  });

  it('keeps the grade of what an endpoint throws, so that a final fault is dead-lettered', async () => {
    const { app, client, broker } = await application([Endpoint]);
    await app.listen();
    await client.to(HOST).grow({ volume: 'gone' });
    await turns();
    expect(broker.depth(DEAD_LETTER)).toBe(1);
    await app.close();
  });

  it('serves the topic when it has no host', async () => {
    const { app, client } = await application([Endpoint], null);
    await app.listen();
    await expect(client.any().ping({ text: 'a' })).resolves.toEqual({ text: 'a!' });
    await app.close();
  });

  it('gives each contract only its own endpoints when one application serves two', async () => {
    const { app, client, link, options, broker } = await application([Endpoint, OtherEndpoint]);
    await app.listen();
    @Module({ controllers: [Endpoint, OtherEndpoint], providers: [Journal] })
    class OtherModule {}
    const other = await microservice(OtherModule, new RpcStrategy(link, otherContract, null, options));
    await other.listen();
    await expect(client.to(HOST).ping({ text: 'a' })).resolves.toEqual({ text: 'a!' });
    const otherClient = rpcClient(broker.connect(), otherContract, options);
    await expect(otherClient.any().ping({ text: 'a' })).resolves.toEqual({ text: 'other a' });
    await Promise.all([app.close(), other.close()]);
  });

  it('fails to listen with every fault named when handlers are missing, doubled or unknown', async () => {
    const { app, strategy } = await application([Endpoint, SecondEndpoint, Stranger]);
    const error: unknown = await app.listen().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'internal', grade: 'final' });
    for (const name of ['grow', 'ping', 'shrink']) expect((error as Error).message).toContain(name);
    expect(() => strategy.unwrap()).toThrow(NovellaError);
  });

  it('fails to listen when the contract has no handler at all', async () => {
    const { app } = await application([OtherEndpoint]);
    await expect(app.listen()).rejects.toMatchObject({ code: 'internal' });
  });

  it('listens while the broker is away and serves once it is there', async () => {
    const { app, client, broker } = await application([Endpoint]);
    broker.stop();
    await app.listen();
    broker.start();
    await turns();
    await expect(client.to(HOST).ping({ text: 'a' })).resolves.toEqual({ text: 'a!' });
    await app.close();
  });

  it('takes nothing more after it is closed, although the broker comes only then', async () => {
    const { app, broker, client } = await application([Endpoint]);
    broker.stop();
    await app.listen();
    await app.close();
    broker.start();
    await turns();
    await client
      .to(HOST)
      .grow({ volume: 'v' })
      .catch(() => undefined);
    await turns();
    expect(app.get(Journal).entries).toEqual([]);
  });

  it('gives out the RPC server and tells of the link', async () => {
    const { app, link } = await application([Endpoint]);
    await app.listen();
    expect(app.unwrap()).toBeInstanceOf(RpcServer);
    const seen: string[] = [];
    app.on('disconnected', () => seen.push('disconnected'));
    link.disconnect();
    link.reconnect();
    expect(seen).toEqual(['disconnected']);
    await app.close();
  });
});

describe('handlerFaults', () => {
  it.each([
    { given: 'one handler each', handlers: { grow: 1, ping: 1 }, faults: 0 },
    { given: 'a missing one', handlers: { grow: 1 }, faults: 1 },
    { given: 'a doubled one', handlers: { grow: 2, ping: 1 }, faults: 1 },
    { given: 'an unknown one', handlers: { grow: 1, ping: 1, shrink: 1 }, faults: 1 },
    { given: 'all of these', handlers: { grow: 2, shrink: 1 }, faults: 3 },
  ])('$given -> $faults faults', ({ handlers, faults }) => {
    const collected = new Map(Object.entries(handlers).map(([name, count]) => [name, Array<unknown>(count)]));
    expect(handlerFaults(contract, collected)).toHaveLength(faults);
  });
});
