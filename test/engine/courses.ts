import { type ErrorCode, gib } from '@novella/core';
import { CONNECTION, VOLUME } from '@novella/testing';
import { DATA } from './deployment.js';
import { attached, built, paused, stopped, suspended } from './set-up.js';
import type { SimulatedVolumes } from './simulated-volumes.js';
import { accepts, type Begin } from './story.js';
import type { World } from './world.js';

/** An operation that goes as it should, or is undone as it should be: what misfortunes then befall, to the same end. */
export interface Course {
  readonly before?: Begin;
  readonly request: Begin;
  /** How many commands it sends. */
  readonly commands: number;
  /** What it asks of Cinder. */
  readonly asks: readonly NonNullable<SimulatedVolumes['refuse']>['call'][];
}

const onQcow2: Begin = (world) => {
  world.volumes.connectionInfo = { ...CONNECTION, format: 'qcow2' };
  return built(world);
};

const refusedByHost =
  (method: NonNullable<World['host']['fails']>['method'], code: ErrorCode, request: Begin): Begin =>
  (world) => {
    world.host.fails = { method, code, times: 1_000 };
    return request(world);
  };

const build: Begin = (world) => world.acceptBuild();
const attach = accepts((world) => world.acceptAttach());
const detach = accepts((world) => world.acceptDetach());
const growthByHost: Begin = (world) => world.acceptGrowthByHost();

export const COURSES: Readonly<Record<string, Course>> = {
  'a build': { request: build, commands: 1, asks: ['connectAttachment', 'completeAttachment'] },
  'a build without volumes': { request: (world) => world.acceptBuild(true, []), commands: 1, asks: [] },
  'a build with two volumes': {
    request: (world) => world.acceptBuild(true, [VOLUME, DATA]),
    commands: 1,
    asks: ['connectAttachment'],
  },
  'a build that is undone': {
    request: refusedByHost('build_instance', 'image-refused', build),
    commands: 2,
    asks: ['deleteAttachment'],
  },
  'an attach': { before: built, request: attach, commands: 1, asks: ['connectAttachment', 'completeAttachment'] },
  'an attach that is undone': {
    before: built,
    request: refusedByHost('attach_volume', 'path-outside-roots', attach),
    commands: 2,
    asks: ['deleteAttachment'],
  },
  'a detach': { before: attached, request: detach, commands: 1, asks: ['beginDetaching', 'deleteAttachment'] },
  'a detach that is undone': {
    before: attached,
    request: refusedByHost('detach_volume', 'domain-not-ours', detach),
    commands: 1,
    asks: ['rollDetaching'],
  },
  'an extend': {
    before: attached,
    request: (world) => world.acceptExtend(gib(2), DATA),
    commands: 1,
    asks: ['volume'],
  },
  'an extend of a qcow2 file': { before: onQcow2, request: growthByHost, commands: 1, asks: ['completeExtend'] },
  'an extend of a qcow2 file that cannot grow': {
    before: onQcow2,
    request: refusedByHost('extend_volume', 'disk-cannot-grow', growthByHost),
    commands: 1,
    asks: ['completeExtend'],
  },
  'a start': { before: stopped, request: accepts((world) => world.acceptPower('start')), commands: 1, asks: [] },
  'a stop': { before: attached, request: accepts((world) => world.acceptPower('stop')), commands: 1, asks: [] },
  'a reboot': {
    before: attached,
    request: accepts((world) => world.acceptPower('hard reboot')),
    commands: 1,
    asks: [],
  },
  'a pause': { before: attached, request: accepts((world) => world.acceptPower('pause')), commands: 1, asks: [] },
  'an unpause': { before: paused, request: accepts((world) => world.acceptPower('unpause')), commands: 1, asks: [] },
  'a suspend': { before: attached, request: accepts((world) => world.acceptPower('suspend')), commands: 1, asks: [] },
  'a resume': { before: suspended, request: accepts((world) => world.acceptPower('resume')), commands: 1, asks: [] },
  'a delete': {
    before: attached,
    request: accepts((world) => world.acceptDelete()),
    commands: 1,
    asks: ['deleteAttachment', 'deleteVolume'],
  },
};

/** What has secrets for the host has one more step: asking for them again. */
const SEALED = [
  'a build',
  'an attach',
  'a detach',
  'an extend',
  'a start',
  'a stop',
  'a reboot',
  'a pause',
  'an unpause',
  'a suspend',
  'a resume',
];

export const SEALED_COURSES: Readonly<Record<string, Course>> = Object.fromEntries(
  SEALED.flatMap((name) => {
    const course = COURSES[name];
    if (course === undefined) return [];
    const before: Begin = async (world) => {
      world.volumes.secret = { auth_password: 'for the host alone' };
      await course.before?.(world);
    };
    return [[`${name} with secrets`, { ...course, before }]];
  }),
);
