import { parseAddressBlock } from './addresses.ts';
import type { Condition } from './conditions.ts';
import type { Policy, Statement } from './policy.ts';

/**
 * Whether a policy lets in people nobody named: a statement allows everyone, and no condition pins it to fixed users or to a
 * narrow block of addresses. In doubt it is public
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html, "The meaning of public").
 */
export function isPublicPolicy(policy: Policy): boolean {
  return policy.statements.some(isPublic);
}

function isPublic({ effect, principals, conditions }: Statement): boolean {
  return effect === 'Allow' && principals === 'everyone' && !conditions.some(isNarrow);
}

const userKeys: readonly string[] = ['aws:userid', 'aws:username'];

function isNarrow({ operator, key, values, passesAbsent }: Condition): boolean {
  if (passesAbsent) return false;
  if (operator === 'IpAddress' && key === 'aws:sourceip') return values.every(isNarrowBlock);
  if (!userKeys.includes(key)) return false;
  if (operator === 'StringEquals' || operator === 'StringEqualsIgnoreCase') return true;
  return operator === 'StringLike' && values.every((value) => !/[*?]/.test(value));
}

/** AWS draws the line at a /8 of IPv4 and a /32 of IPv6. */
function isNarrowBlock(value: string): boolean {
  const block = parseAddressBlock(value);
  return block !== null && block.prefixBits >= (block.family === 'ipv4' ? 8 : 32);
}
