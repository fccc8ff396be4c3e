import { isActionPattern } from './actions.ts';
import { parseConditions } from './conditions.ts';
import type { Patterns, Policy, Statement } from './policy.ts';
import { expectObject, expectText, expectTexts, malformedPolicy, quoted } from './refuse.ts';
import { matchesWildcard } from './wildcard.ts';

interface Setting {
  readonly bucket: string;
  readonly version: Policy['version'];
}

const elements = [
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
];

/** Reads one statement of a policy of this bucket. Throws `MalformedPolicy`. */
export function parseStatement(value: unknown, setting: Setting): Statement {
  const statement = expectObject(value, 'A statement', elements);
  if (setting.version === '2012-10-17' && JSON.stringify(statement).includes('${')) {
    // They would be compared as they stand and never match, which in a Deny lets through what it was to stop.
    throw malformedPolicy('Policy variables are not supported.');
  }
  const { Sid: sid, Effect: effect, Principal: principal } = statement;
  if (effect !== 'Allow' && effect !== 'Deny') throw malformedPolicy('Effect is Allow or Deny.');
  if (statement['NotPrincipal'] !== undefined) throw malformedPolicy('NotPrincipal is not supported.');
  if (principal === undefined) throw malformedPolicy('A statement of a bucket policy needs a Principal.');
  return {
    ...(sid === undefined ? {} : { sid: expectText(sid, 'Sid') }),
    effect,
    principals: parsePrincipal(principal),
    actions: parsePatterns(statement, 'Action', parseAction),
    resources: parsePatterns(statement, 'Resource', (text) => parseResource(text, setting.bucket)),
    conditions: parseConditions(statement['Condition']),
  };
}

function parsePrincipal(value: unknown): Statement['principals'] {
  if (value === '*') return 'everyone';
  if (typeof value === 'string') throw malformedPolicy('A Principal that is text is *.');
  const { AWS: aws } = expectObject(value, 'Principal', ['AWS']);
  if (aws === undefined) throw malformedPolicy('Principal needs AWS.');
  const names = expectTexts(aws, 'Principal').map((text) => {
    if (text === '*') return null;
    const [, name] = /^arn:aws:iam:::user\/([\w+=,.@/-]{1,128})$/.exec(text) ?? [];
    if (name === undefined)
      throw malformedPolicy(`The principal ${quoted(text)} is neither * nor arn:aws:iam:::user/NAME.`);
    return name;
  });
  return names.includes(null) ? 'everyone' : names.filter((name) => name !== null);
}

/** What an element or its opposite holds; exactly one of them is there. */
function parsePatterns(
  statement: Readonly<Record<string, unknown>>,
  name: 'Action' | 'Resource',
  parse: (text: string) => string,
): Patterns {
  const [is, isNot] = [statement[name], statement[`Not${name}`]];
  if ((is === undefined) === (isNot === undefined)) {
    throw malformedPolicy(`A statement has either ${name} or Not${name}.`);
  }
  return { isNot: is === undefined, patterns: expectTexts(is ?? isNot, name).map(parse) };
}

function parseAction(text: string): string {
  const pattern = text.toLowerCase();
  if (pattern !== '*' && !pattern.startsWith('s3:')) throw malformedPolicy(`The action ${quoted(text)} is not of S3.`);
  if (!isActionPattern(pattern)) throw malformedPolicy(`The action ${quoted(text)} is not known.`);
  return pattern;
}

const arnPrefix = 'arn:aws:s3:::';

/** A pattern may have wildcards in its bucket part as well, as long as this bucket is among what it stands for. */
function parseResource(text: string, bucket: string): string {
  const pattern = text.startsWith(arnPrefix) ? text.slice(arnPrefix.length) : '';
  const [bucketPart = ''] = pattern.split('/', 1);
  if (!matchesWildcard(bucketPart, bucket))
    throw malformedPolicy(`The resource ${quoted(text)} is not in this bucket.`);
  return pattern;
}
