import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { QuotaLimits } from './quota.ts';

type Given = number | string | null | undefined;

/** Limits as the API names them: a size or count, `null` for none, absent to leave it. */
export interface GivenLimits {
  readonly bytes_max?: Given;
  readonly objects_max?: Given;
  readonly month_requests_max?: Given;
  readonly month_ingress_bytes_max?: Given;
  readonly month_egress_bytes_max?: Given;
}

/** What limits become. Throws `invalid` beyond 2^53, which is as far as they are exact, and when none is left. */
export function mergeLimits(before: QuotaLimits | null, given: GivenLimits): QuotaLimits {
  const merged: QuotaLimits = {
    bytes: limitOf('bytes_max', given.bytes_max, before?.bytes),
    objects: limitOf('objects_max', given.objects_max, before?.objects),
    month: {
      requests: limitOf('month_requests_max', given.month_requests_max, before?.month.requests),
      ingress: limitOf('month_ingress_bytes_max', given.month_ingress_bytes_max, before?.month.ingress),
      egress: limitOf('month_egress_bytes_max', given.month_egress_bytes_max, before?.month.egress),
    },
  };
  const { bytes, objects, month } = merged;
  if ([bytes, objects, month.requests, month.ingress, month.egress].some((limit) => limit !== null)) return merged;
  throw new HoldfastError('invalid', 'A quota needs a limit; remove it to have none.', { field: 'bytes_max' });
}

function limitOf(field: string, given: Given, before: number | null | undefined): number | null {
  if (given === undefined) return before ?? null;
  const limit = given === null ? null : Number(given);
  if (limit === null || Number.isSafeInteger(limit)) return limit;
  const details = { field, provided_value: String(given), maximum_value: Number.MAX_SAFE_INTEGER };
  throw new HoldfastError('invalid', `The field "${field}" is larger than what can be counted.`, details);
}
