import { describe, expect, it } from '@jest/globals';
import {
  DEAD_LETTER,
  deadLetterTopology,
  publisherTopology,
  replyTopology,
  routeTo,
  routeToReply,
  serverTopology,
  type Target,
} from './topology.js';

const ID = '0123456789abcdef0123456789abcdef';
const nova = { name: 'nova', type: 'topic', durable: true, autoDelete: false };
const fanout = { name: 'compute_fanout', type: 'fanout', durable: true, autoDelete: true };
const quorum = { 'x-queue-type': 'quorum' };
const transient = { 'x-queue-type': 'quorum', 'x-expires': 1_800_000 };

interface Row {
  readonly target: Target;
  readonly exchange: object;
  readonly route: [exchange: string, routingKey: string];
  readonly queue: string;
  readonly boundWith: string;
  readonly args: object;
}
const rows: Row[] = [
  {
    target: { kind: 'any', topic: 'conductor' },
    exchange: nova,
    route: ['nova', 'conductor'],
    queue: 'conductor',
    boundWith: 'conductor',
    args: quorum,
  },
  {
    target: { kind: 'host', topic: 'compute', host: 'rack-1.example' },
    exchange: nova,
    route: ['nova', 'compute.rack-1.example'],
    queue: 'compute.rack-1.example',
    boundWith: 'compute.rack-1.example',
    args: quorum,
  },
  {
    target: { kind: 'fanout', topic: 'compute' },
    exchange: fanout,
    route: ['compute_fanout', ''],
    queue: `compute_fanout_${ID}`,
    boundWith: 'compute',
    args: transient,
  },
];

describe('topology', () => {
  it.each(rows)(
    '$target.kind of $target.topic -> queue $queue',
    ({ target, exchange, route, queue, boundWith, args }) => {
      expect(serverTopology(target, ID)).toEqual({
        exchanges: [exchange],
        queues: [
          {
            name: queue,
            durable: true,
            autoDelete: false,
            arguments: args,
            bindings: [{ exchange: route[0], routingKey: boundWith }],
          },
        ],
      });
      expect(routeTo(target)).toEqual({ exchange: route[0], routingKey: route[1] });
      expect(publisherTopology(target)).toEqual({ exchanges: [exchange], queues: [] });
    },
  );

  it('reaches a reply queue by its name through the default exchange and through the control exchange', () => {
    const name = `reply_${ID}`;
    const { exchanges, queues } = replyTopology(name);
    expect(exchanges).toEqual([{ name: 'nova', type: 'topic', durable: true, autoDelete: false }]);
    const bindings = [{ exchange: 'nova', routingKey: name }];
    expect(queues).toEqual([{ name, durable: true, autoDelete: false, arguments: transient, bindings }]);
    expect(routeToReply(name)).toEqual({ exchange: '', routingKey: name });
    expect(routeToReply(name, 'nova')).toEqual({ exchange: 'nova', routingKey: name });
  });

  it('keeps dead letters in a queue of their own', () => {
    expect(deadLetterTopology.queues).toEqual([
      {
        name: DEAD_LETTER,
        durable: true,
        autoDelete: false,
        arguments: quorum,
        bindings: [{ exchange: DEAD_LETTER, routingKey: '' }],
      },
    ]);
  });

  it('uses another control exchange for topics, and the same fanout exchange whatever it is', () => {
    const host: Target = { kind: 'host', topic: 'compute', host: 'a' };
    expect(routeTo(host, 'openstack').exchange).toBe('openstack');
    expect(serverTopology(host, ID, 'openstack').queues[0]?.bindings[0]?.exchange).toBe('openstack');
    expect(routeTo({ kind: 'fanout', topic: 'compute' }, 'openstack').exchange).toBe('compute_fanout');
  });
});
