import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PrivateRabbit, type RabbitVersion, startPrivateRabbit } from '@novella/testing';
import { amqpWorld } from './amqp-world.js';
import { linkConformance } from './link-conformance.js';
import { START_LIMIT_MS } from './rabbit-suite.js';
import { collect, durable, frame, type LinkWorld, textOf, topology } from './world.js';

const LIMIT = 20;
const POLICY = ['delivery-limit', '.*', `{"delivery-limit":${LIMIT}}`, '--apply-to', 'queues', '--priority', '-1000'];

/** The suite on one broker, without a delivery limit and with the limit that a policy sets. */
export function conformanceOnRabbit(version: RabbitVersion): void {
  describe(`RabbitMQ ${version}`, () => {
    let rabbit: PrivateRabbit;
    beforeAll(async () => {
      rabbit = await startPrivateRabbit({ version, deliveryLimit: null });
    }, START_LIMIT_MS);
    afterAll(() => rabbit.stop());
    const open = () => amqpWorld(rabbit);

    it('is the version that was asked for', async () => {
      expect(await rabbit.rabbitmqctl('version')).toMatch(new RegExp(`^${version.replace('.', '\\.')}\\.`));
    });

    describe('without a delivery limit', () => {
      linkConformance({ describe, it }, version, open);

      it('hands out a frame for ever', () => inWorld(open, (world) => returns(world, LIMIT + 5, LIMIT + 5)));
    });

    describe(`with delivery limit ${LIMIT}`, () => {
      beforeAll(() => rabbit.rabbitmqctl('set_policy', ...POLICY));

      linkConformance({ describe, it }, version, open);

      it(`hands out a frame ${LIMIT + 1} times`, () => inWorld(open, (world) => returns(world, LIMIT + 5, LIMIT + 1)));
    });
  });
}

async function inWorld(open: () => Promise<LinkWorld>, run: (world: LinkWorld) => Promise<void>): Promise<void> {
  const world = await open();
  try {
    await run(world);
  } finally {
    await world.close();
  }
}

/** A frame that is handed back each time is the head of its queue `expected` times in `rounds`. */
async function returns(world: LinkWorld, rounds: number, expected: number): Promise<void> {
  const [link, queue] = [await world.link(), world.name('queue')];
  await link.declare(topology(world, queue));
  for (const text of ['returns', 'next']) await link.publish(frame(world, queue, text), durable);
  const heads: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const taken = await collect(link, queue, 1);
    heads.push(textOf(await taken.next()));
    await taken.consumer.cancel();
  }
  expect(heads.filter((text) => text === 'returns')).toHaveLength(expected);
}
