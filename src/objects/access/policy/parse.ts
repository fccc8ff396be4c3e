import type { Policy } from './policy.ts';
import { parseStatement } from './parse-statement.ts';
import { expectObject, expectText, malformedPolicy, quoted } from './refuse.ts';
import { doubledName } from './strict-json.ts';

/** The greatest size of a bucket policy on AWS. */
export const policyBytesMax = 20_480;

const versions = ['2012-10-17', '2008-10-17'] as const;

/**
 * Reads the policy of a bucket, strictly: what is unknown, doubled or unsupported is refused and never passed over, since a
 * statement that means less than its writer thought may let somebody in. Throws `MalformedPolicy`.
 */
export function parsePolicy(text: string, bucket: string): Policy {
  if (Buffer.byteLength(text) > policyBytesMax) throw malformedPolicy(`A policy has at most ${policyBytesMax} bytes.`);
  const document = expectObject(parseJson(text), 'The policy', ['Version', 'Id', 'Statement']);
  const { Version: versionText, Id: id, Statement: statement } = document;
  const version = versionText === undefined ? '2008-10-17' : versions.find((one) => one === versionText);
  if (version === undefined) throw malformedPolicy(`Version is ${versions.join(' or ')}.`);
  const list: readonly unknown[] = Array.isArray(statement) ? statement : [statement];
  if (statement === undefined || list.length === 0) throw malformedPolicy('The policy needs a Statement.');
  const statements = list.map((one) => parseStatement(one, { bucket, version }));
  const sids = statements.flatMap(({ sid }) => (sid === undefined ? [] : [sid]));
  if (new Set(sids).size < sids.length) throw malformedPolicy('Two statements have the same Sid.');
  return { version, ...(id === undefined ? {} : { id: expectText(id, 'Id') }), statements };
}

function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformedPolicy('The policy is not valid JSON.');
  }
  const doubled = doubledName(text);
  if (doubled !== null) throw malformedPolicy(`${quoted(doubled)} stands twice in one object.`);
  return value;
}
