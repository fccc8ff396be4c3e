import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { BackendChanges } from './change.ts';

/** The limits of a backend as the API names them: a size or count, `null` for none, absent to leave it. */
export interface BackendLimits {
  readonly quota_bytes?: number | string | null | undefined;
  readonly object_bytes_max?: number | string | null | undefined;
  readonly month_requests_max?: number | string | null | undefined;
  readonly month_ingress_bytes_max?: number | string | null | undefined;
  readonly month_egress_bytes_max?: number | string | null | undefined;
}

export const limitNames = [
  'quota_bytes',
  'object_bytes_max',
  'month_requests_max',
  'month_ingress_bytes_max',
  'month_egress_bytes_max',
] as const;
export type LimitName = (typeof limitNames)[number];

/** The limits that are given, as columns. Throws `invalid` beyond 2^53, which is as far as they are exact. */
export function limitColumns(limits: BackendLimits): Pick<BackendChanges, LimitName> {
  const columns: Partial<Record<LimitName, number | null>> = {};
  for (const name of limitNames) {
    const given = limits[name];
    if (given === undefined) continue;
    const value = given === null ? null : Number(given);
    if (value !== null && !Number.isSafeInteger(value)) {
      const details = { field: name, provided_value: String(given), maximum_value: Number.MAX_SAFE_INTEGER };
      throw new HoldfastError('invalid', `The field "${name}" is larger than any backend is.`, details);
    }
    columns[name] = value;
  }
  return columns;
}
