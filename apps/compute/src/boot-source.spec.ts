import { describe, expect, it } from '@jest/globals';
import { bytes } from '@novella/core';
import { type BootImages, decideBootSource, type HostImage } from './boot-source.js';

const GIB = 2 ** 30;
const image = (more: Partial<HostImage>): HostImage => ({
  id: 'image',
  diskFormat: 'raw',
  path: '/images/root',
  size: bytes(GIB),
  minDiskGib: 0,
  minMemoryMib: 0,
  properties: { commandLine: null },
  ...more,
});
const kernel = image({ diskFormat: 'aki', path: '/images/vmlinuz' });
const ramdisk = image({ diskFormat: 'ari', path: '/images/initrd' });
const usual: BootImages = { image: image({}), kernel: null, ramdisk: null, imageBytes: bytes(GIB) };
const flavor = { rootGib: 2, memoryMib: 512, bootVolume: null };

describe('what a guest boots from', () => {
  it('is nothing of ours without an image', () => {
    expect(decideBootSource({ ...usual, image: null }, flavor)).toEqual({ kernel: null, rootDisk: null });
  });

  it.each([
    ['raw', 'raw'],
    ['ami', 'raw'],
    ['qcow2', 'qcow2'],
  ] as const)('is a root disk of the flavor for an image of format %s', (diskFormat, format) => {
    expect(decideBootSource({ ...usual, image: image({ diskFormat }) }, flavor).rootDisk).toEqual({
      source: '/images/root',
      format,
      imageBytes: GIB,
      wantedBytes: 2 * GIB,
    });
  });

  it('is a kernel with its ramdisk, and no disk for an ami without one', () => {
    const ami = image({ diskFormat: 'ami', path: null });
    expect(decideBootSource({ image: ami, kernel, ramdisk, imageBytes: bytes(0) }, flavor)).toEqual({
      kernel: {
        kernelPath: '/images/vmlinuz',
        initrdPath: '/images/initrd',
        commandLine: 'console=tty0 console=ttyS0',
      },
      rootDisk: null,
    });
  });

  it.each<[string, Partial<BootImages>, Partial<typeof flavor>, string]>([
    ['a kernel without a ramdisk', { kernel }, {}, 'image-refused'],
    ['a ramdisk without a kernel', { ramdisk }, {}, 'image-refused'],
    ['a kernel without a file', { kernel: image({ path: null }), ramdisk }, {}, 'image-refused'],
    ['a kernel as the image', { image: kernel }, {}, 'image-refused'],
    ['a ramdisk as the image', { image: ramdisk }, {}, 'image-refused'],
    ['too little memory', { image: image({ minMemoryMib: 513 }) }, {}, 'flavor-too-small'],
    ['too small a root disk', { imageBytes: bytes(2 * GIB + 1) }, {}, 'flavor-too-small'],
    ["a root disk below the image's minimum", { image: image({ minDiskGib: 3 }) }, {}, 'flavor-too-small'],
  ])('is refused: %s', (_what, images, more, code) => {
    expect(() => decideBootSource({ ...usual, ...images }, { ...flavor, ...more })).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
