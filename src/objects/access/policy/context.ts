import { parseTagHeader } from '../../s3/tags.ts';
import type { User } from '../access.ts';
import { requestTagPrefix } from './condition-keys.ts';

/** What conditions are about, as it came with a request. */
export interface RequestFacts {
  readonly user: User | null;
  readonly header: (name: string) => string | undefined;
  readonly query: ReadonlyMap<string, string>;
  /** The client's, as it is trusted: behind a proxy that is believed, what the proxy says. */
  readonly address: string | undefined;
  readonly isTls: boolean;
  readonly authType: 'REST-HEADER' | 'REST-QUERY-STRING' | 'POST' | null;
  readonly nowMs: number;
}

const headerKeys: readonly string[] = [
  'x-amz-acl',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-metadata-directive',
  'x-amz-server-side-encryption',
  'x-amz-storage-class',
];
const lockKeys: readonly string[] = ['mode', 'retain-until-date', 'legal-hold'];

/** Values by the names of condition keys; absent is absent in the request. Throws for tags that are not valid. */
export function policyContext(facts: RequestFacts): Readonly<Record<string, string>> {
  const { user, header, query, nowMs } = facts;
  const context: Record<string, string> = {
    'aws:currenttime': new Date(nowMs).toISOString(),
    'aws:epochtime': String(Math.floor(nowMs / 1000)),
    'aws:securetransport': String(facts.isTls),
    'aws:principaltype': user === null ? 'Anonymous' : 'User',
  };
  const add = (key: string, value: string | undefined) => {
    if (value !== undefined) context[key] = value;
  };
  add('aws:userid', user?.id);
  add('aws:username', user?.name);
  add('aws:sourceip', facts.address);
  add('aws:referer', header('referer'));
  add('aws:useragent', header('user-agent'));
  add('s3:authtype', facts.authType ?? undefined);
  add('s3:signatureversion', facts.authType === null ? undefined : 'AWS4-HMAC-SHA256');
  for (const name of ['prefix', 'delimiter', 'max-keys']) add(`s3:${name}`, query.get(name));
  add('s3:versionid', query.get('versionId'));
  for (const name of headerKeys) add(`s3:${name}`, header(name));
  for (const name of lockKeys) add(`s3:object-lock-${name}`, header(`x-amz-object-lock-${name}`));
  const tags = Object.entries(parseTagHeader(header('x-amz-tagging')));
  for (const [key, value] of tags) context[requestTagPrefix + key] = value;
  return context;
}
