import { objectError } from '../../errors.ts';
import type { FormCondition, PostPolicy } from './post-policy.ts';

/** What a form brings, to be held against its policy. */
export interface PolicedForm {
  readonly bucket: string;
  /** By name in lower case, variables replaced. */
  readonly fields: ReadonlyMap<string, string>;
  readonly sizeBytes: number;
}

/** Fields that no condition need name. */
const free = new Set(['awsaccesskeyid', 'file', 'policy', 'signature', 'x-amz-signature']);

/**
 * Refuses a form that its policy does not allow: one that came too late, breaks a condition, or has a field that no condition
 * is about. The bucket counts as a field, so that a policy is good for one bucket and never for all.
 * Throws `AccessDenied`, `EntityTooSmall` and `EntityTooLarge`.
 */
export function checkPostPolicy(policy: PostPolicy, form: PolicedForm, nowMs: number): void {
  if (policy.expiresAtMs <= nowMs) throw denied('Policy expired.');
  const fields = new Map([...form.fields, ['bucket', form.bucket]]);
  const named = new Set<string>();
  for (const condition of policy.conditions) {
    if (condition.kind === 'content-length-range') {
      requireSize(condition, form.sizeBytes);
      continue;
    }
    named.add(condition.field);
    if (!holds(condition, fields.get(condition.field))) {
      const { kind, field, value } = condition;
      throw denied(`Policy Condition failed: ${JSON.stringify([kind, `$${field}`, value]).slice(0, 1000)}`);
    }
  }
  for (const field of fields.keys()) {
    if (named.has(field) || free.has(field) || field.startsWith('x-ignore-')) continue;
    throw denied(`Extra input fields: ${field.slice(0, 100)}`);
  }
}

function requireSize(range: Extract<FormCondition, { kind: 'content-length-range' }>, sizeBytes: number): void {
  if (sizeBytes < range.minBytes) {
    const message = 'Your proposed upload is smaller than the minimum allowed size.';
    throw objectError('EntityTooSmall', { size_bytes: sizeBytes, size_bytes_min: range.minBytes }, message);
  }
  if (sizeBytes > range.maxBytes) {
    throw objectError('EntityTooLarge', { size_bytes: sizeBytes, size_bytes_max: range.maxBytes });
  }
}

/** A field that is not there begins with nothing, and equals nothing. */
function holds(
  condition: Exclude<FormCondition, { kind: 'content-length-range' }>,
  actual: string | undefined,
): boolean {
  const { kind, field, value } = condition;
  if (kind === 'eq') return actual === value;
  if (actual === undefined) return value === '';
  // Of a list of types, every one must begin so.
  const parts = field === 'content-type' ? actual.split(',').map((part) => part.trim()) : [actual];
  return parts.every((part) => part.startsWith(value));
}

function denied(sentence: string): Error {
  return objectError('AccessDenied', {}, `Invalid according to Policy: ${sentence}`);
}
