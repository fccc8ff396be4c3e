import { parsePrivateAcl, requirePrivateHeaders } from '../acl.ts';
import type { S3Context } from '../command.ts';

const bytesMax = 65_536;

/** Refuses every ACL but the one that objects and buckets have anyway. Throws `AccessControlListNotSupported`. */
export async function requirePrivate(context: S3Context, owner: string): Promise<void> {
  if (!requirePrivateHeaders((name) => context.header(name))) parsePrivateAcl(await context.xml(bytesMax), owner);
}
