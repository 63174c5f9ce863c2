import { type ErrorCode, type ErrorFacts, NovellaError } from '@novella/core';
import { LIBVIRT_ERROR, LibvirtError } from '@novella/libvirt';

/** What libvirt's refusals mean to us. Some are only told apart by QEMU's words, which libvirt passes on unchanged. */
export function isLibvirtError(error: unknown, ...codes: readonly (keyof typeof LIBVIRT_ERROR)[]): boolean {
  return error instanceof LibvirtError && codes.some((code) => LIBVIRT_ERROR[code] === error.code);
}

/** detach: the device has gone meanwhile. */
export const isDeviceGone = (error: unknown): boolean =>
  isLibvirtError(error, 'deviceMissing') ||
  (isLibvirtError(error, 'operationFailed', 'invalidArg') && says(error, 'not found'));

/** detach: the guest was asked before and has not answered yet. */
export const isUnplugUnderWay = (error: unknown): boolean =>
  isLibvirtError(error, 'internal') && says(error, 'already in the process of unplug');

const says = (error: unknown, text: string): boolean => error instanceof Error && error.message.includes(text);

/** QEMU's words for a disk that has nowhere to grow: a device that is as large as it gets, read-only, a full file system. */
const CANNOT_GROW_TEXT = /cannot grow device files|read-?only|no space left on device|file too large/i;
const BUSY_TEXT = /active block job|guest is busy|\bis in use\b|cannot acquire state change lock|migrat/i;

function codeOf(error: LibvirtError): ErrorCode {
  if (isLibvirtError(error, 'noDomain')) return 'domain-not-found';
  if (error.procedure === 'domainBlockResize' && CANNOT_GROW_TEXT.test(error.message)) return 'disk-cannot-grow';
  if (isLibvirtError(error, 'operationTimeout', 'blockCopyActive', 'resourceBusy')) return 'guest-busy';
  if (BUSY_TEXT.test(error.message)) return 'guest-busy';
  return 'hypervisor-refused';
}

/** Runs `work`; what libvirt refuses in it becomes a NovellaError with `facts`. */
export async function translated<T>(facts: ErrorFacts, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
    const told = { ...facts, procedure: error.procedure, libvirtCode: error.code };
    throw new NovellaError(codeOf(error), `libvirt refused ${error.procedure}`, told, { cause: error });
  }
}
