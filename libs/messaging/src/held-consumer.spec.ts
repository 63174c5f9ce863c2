import { expect, it } from '@jest/globals';
import { seconds } from '@novella/core';
import { virtualClock } from '@novella/testing';
import { HeldConsumer } from './held-consumer.js';
import type { LinkConsumer } from './link.js';

async function consuming() {
  const clock = virtualClock();
  const asked: string[] = [];
  const ask = (what: string) => () => Promise.resolve(void asked.push(what));
  const look = () => Promise.resolve({ ready: 0, consumers: 1 });
  const link: LinkConsumer = { pause: ask('pause'), resume: ask('resume'), cancel: ask('cancel'), look };
  const consumer = new HeldConsumer(2, clock);
  await consumer.start(link);
  return { clock, asked, consumer };
}

it('a pause that nobody ends stops counting after its time, and the consumer is set to flow again', async () => {
  const { clock, asked, consumer } = await consuming();
  await consumer.pause(seconds(30));
  await clock.advance(seconds(30));
  expect(consumer.room).toBe('paused');
  await clock.advance(seconds(6));
  expect(consumer.room).toBe('free');
  await consumer.restore();
  expect(asked).toEqual(['pause', 'resume']);
});

it('a pause that is still to end stays in effect when the consumer is set anew', async () => {
  const { asked, consumer } = await consuming();
  const resume = await consumer.pause(seconds(30));
  await consumer.restore();
  await resume();
  await resume();
  expect(asked).toEqual(['pause', 'pause', 'resume']);
});

it('only the last of several pauses lets the consumer go on', async () => {
  const { asked, consumer } = await consuming();
  const ends = [await consumer.pause(seconds(1)), await consumer.pause(seconds(2))];
  await ends[0]?.();
  expect(consumer.room).toBe('paused');
  await ends[1]?.();
  expect({ asked, room: consumer.room }).toEqual({ asked: ['pause', 'resume'], room: 'free' });
});

it('a stopped consumer is not set to flow', async () => {
  const { asked, consumer } = await consuming();
  await consumer.stop();
  await consumer.restore();
  expect({ asked, room: consumer.room }).toEqual({ asked: ['pause', 'pause'], room: 'stopped' });
});
