import { objectError } from '../errors.ts';
import type { XmlElement } from './command.ts';
import { childOf, childrenOf, expectElement, malformed, textIn } from './xml/find.ts';

/**
 * ACLs are answered and never kept: the owner has full control, and policies and grants say who else may do what, as in
 * buckets with `BucketOwnerEnforced` on AWS
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html).
 */
const schema = 'http://www.w3.org/2001/XMLSchema-instance';

const grantHeaders = ['full-control', 'read', 'read-acp', 'write', 'write-acp'].map((name) => `x-amz-grant-${name}`);
/** The canned ACLs that give the owner everything and others nothing. */
const ownersOnly = ['private', 'bucket-owner-full-control'];

/** The one ACL there is. */
export function writeAcl(owner: string): XmlElement {
  const identity = [
    { name: 'ID', text: owner },
    { name: 'DisplayName', text: owner },
  ];
  const attributes = { 'xmlns:xsi': schema, 'xsi:type': 'CanonicalUser' };
  const grantee = { name: 'Grantee', attributes, children: identity };
  const grant = { name: 'Grant', children: [grantee, { name: 'Permission', text: 'FULL_CONTROL' }] };
  const list = { name: 'AccessControlList', children: [grant] };
  return { name: 'AccessControlPolicy', children: [{ name: 'Owner', children: identity }, list] };
}

/**
 * Whether headers ask for an ACL, which can only be that one.
 * Throws `AccessControlListNotSupported` for any other.
 */
export function requirePrivateHeaders(header: (name: string) => string | undefined): boolean {
  const canned = header('x-amz-acl');
  if (grantHeaders.some((name) => header(name) !== undefined)) throw unsupported();
  if (canned !== undefined && !ownersOnly.includes(canned)) throw unsupported();
  return canned !== undefined;
}

/** Takes a document that grants the owner full control and nobody anything. Throws `AccessControlListNotSupported`. */
export function parsePrivateAcl(root: XmlElement, owner: string): void {
  expectElement(root, 'AccessControlPolicy', ['Owner', 'AccessControlList']);
  const list = childOf(root, 'AccessControlList');
  if (list === undefined) throw malformed('AccessControlPolicy needs an AccessControlList.');
  const grants = childrenOf(expectElement(list, 'AccessControlList', ['Grant']), 'Grant');
  const isOwnersOnly = grants.length > 0 && grants.every((grant) => isFullControlOf(grant, owner));
  if (!isOwnersOnly) throw unsupported();
}

function isFullControlOf(grant: XmlElement, owner: string): boolean {
  const grantee = childOf(grant, 'Grantee');
  if (grantee === undefined || textIn(grantee, 'ID') !== owner) return false;
  return textIn(grant, 'Permission') === 'FULL_CONTROL';
}

function unsupported(): Error {
  const message = 'There are no ACLs but that of the owner; use a bucket policy or grants instead.';
  return objectError('AccessControlListNotSupported', {}, message);
}
