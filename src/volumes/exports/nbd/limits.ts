import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ExportQos } from '../target.ts';
import type { ThrottleLimits } from './qmp/commands.ts';

const names: readonly [keyof ExportQos, keyof ThrottleLimits][] = [
  ['iops', 'iops-total'],
  ['read_iops', 'iops-read'],
  ['write_iops', 'iops-write'],
  ['bytes_per_second', 'bps-total'],
  ['read_bytes_per_second', 'bps-read'],
  ['write_bytes_per_second', 'bps-write'],
];

/**
 * Every limit, since QEMU leaves those alone that are not named.
 *
 * @throws HoldfastError `unsupported` for a limit of the whole together with one of a direction, which QEMU does not do.
 */
export function throttleLimits(qos: ExportQos): ThrottleLimits {
  for (const [total, read, write] of [
    ['iops', 'read_iops', 'write_iops'],
    ['bytes_per_second', 'read_bytes_per_second', 'write_bytes_per_second'],
  ] as const) {
    if (qos[total] !== undefined && (qos[read] !== undefined || qos[write] !== undefined)) {
      const sentence = `An NBD export takes either the limit ${total}, or ${read} and ${write}, but not both.`;
      throw new HoldfastError('unsupported', sentence, { field: total });
    }
  }
  return Object.fromEntries(names.map(([ours, theirs]) => [theirs, qos[ours] ?? 0])) as unknown as ThrottleLimits;
}

/** The limits of a throttle group, as `qom-get` gives them. */
export function qosOf(limits: unknown): ExportQos {
  const read = (limits ?? {}) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    names.flatMap(([ours, theirs]) => {
      const value = read[theirs];
      return typeof value === 'number' && value > 0 ? [[ours, value]] : [];
    }),
  );
}
