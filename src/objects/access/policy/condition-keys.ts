/**
 * The keys that conditions may name: those that `policyContext` fills for every request, and no others, because a condition
 * on what nobody fills would never be what its writer meant. In lower case; keys are compared without regard to it.
 */
const names: ReadonlySet<string> = new Set([
  'aws:currenttime',
  'aws:epochtime',
  'aws:principaltype',
  'aws:referer',
  'aws:securetransport',
  'aws:sourceip',
  'aws:useragent',
  'aws:userid',
  'aws:username',
  's3:authtype',
  's3:delimiter',
  's3:max-keys',
  's3:object-lock-legal-hold',
  's3:object-lock-mode',
  's3:object-lock-retain-until-date',
  's3:prefix',
  's3:signatureversion',
  's3:versionid',
  's3:x-amz-acl',
  's3:x-amz-content-sha256',
  's3:x-amz-copy-source',
  's3:x-amz-metadata-directive',
  's3:x-amz-server-side-encryption',
  's3:x-amz-storage-class',
]);

/** Before the key of a tag, whose case counts. */
export const requestTagPrefix = 's3:requestobjecttag/';

/** A condition key as contexts have it; `null` for one that is not known. */
export function conditionKey(name: string): string | null {
  const lower = name.toLowerCase();
  if (lower.startsWith(requestTagPrefix) && lower.length > requestTagPrefix.length) {
    return requestTagPrefix + name.slice(requestTagPrefix.length);
  }
  return names.has(lower) ? lower : null;
}
