/** Guests of a few bytes, which a BIOS starts in no time: 16-bit code for QEMU's q35 machine. */
export type MachineCode = readonly number[];

/** Power management registers of ICH9, where SeaBIOS puts them. */
const EVENT_STATUS = [0x00, 0x06];
const EVENT_ENABLE = [0x02, 0x06];
const CONTROL = [0x04, 0x06];

const loadDx = (port: readonly number[]): MachineCode => [0xba, ...port];
const OUT_DX_AX = 0xef;
const IN_AX_DX = 0xed;

/** The soft-off sleep state: the machine has switched itself off. */
export const POWERS_OFF: MachineCode = [
  ...loadDx(CONTROL),
  ...[0xb8, 0x00, 0x20], // mov ax, SLP_EN
  OUT_DX_AX,
];

/** The sleep state in which memory is kept. */
export const FALLS_ASLEEP: MachineCode = [
  ...loadDx(CONTROL),
  ...[0xb8, 0x00, 0x24], // mov ax, SLP_EN | SLP_TYP 1
  OUT_DX_AX,
  ...[0xf4, 0xeb, 0xfd], // again: hlt; jmp again
];

/** Powers off after so many ticks of the BIOS' timer, 55 ms each. */
export const powersOffAfter = (ticks: number): MachineCode => [
  ...[0xb9, ticks & 0xff, ticks >> 8], // mov cx, ticks
  ...[0xfb, 0xf4, 0xe2, 0xfc], // again: sti; hlt; loop again
  ...POWERS_OFF,
];

/** Waits for the power button, asleep between the timer's ticks, and powers off. */
export const OBEYS_POWER_BUTTON: MachineCode = [
  ...loadDx(EVENT_ENABLE),
  ...[0xb8, 0x00, 0x01], // mov ax, PWRBTN_EN
  OUT_DX_AX,
  ...loadDx(EVENT_STATUS),
  ...[0xfb, 0xf4], // again: sti; hlt
  IN_AX_DX,
  ...[0xf6, 0xc4, 0x01], // test ah, PWRBTN_STS
  ...[0x74, 0xf8], // jz again
  ...POWERS_OFF,
];

const SERIAL_PORT = [0xf8, 0x03];

/** Writes a text of ASCII to the serial console. */
export const says = (text: string): MachineCode => [
  ...loadDx(SERIAL_PORT),
  ...[...Buffer.from(text)].flatMap((character) => [0xb0, character, 0xee]), // mov al, character; out dx, al
];

const SMALLEST_DISK = 2 ** 20;

/** A bootable disk: one sector of code, and as much as a BIOS takes for a disk. */
export function bootSector(code: MachineCode): Buffer {
  const disk = Buffer.alloc(SMALLEST_DISK);
  Buffer.from(code).copy(disk);
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}
