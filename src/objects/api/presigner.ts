import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { Access } from '../access/access.ts';
import type { AccessService } from '../access/service.ts';
import { presign } from '../s3/signature/sign.ts';
import { encodeQueryPart } from '../s3/signature/uri.ts';
import type { Presign } from './object-routes.ts';

/** The user in whose name addresses are signed. Revoking its keys ends all addresses that were given out. */
const signerName = 'presigned-addresses';

export interface PresignerOptions {
  readonly store: Store;
  readonly access: Access;
  readonly service: AccessService;
  readonly clock: Clock;
  readonly region: string;
  /** Where the S3 endpoint is reached, given the host by which the caller reached the API. */
  s3Url(host: string): string;
}

/** Signs addresses on the S3 endpoint with a key of the gateway's own, made when it is first needed. */
export function createPresigner(options: PresignerOptions): Presign {
  const { clock, region, s3Url } = options;
  return async ({ method, bucket, key, expiresInSeconds, host }) => {
    const { accessKey, secret } = await signingKeyOf(options);
    const url = new URL(s3Url(host));
    const rawPath = `/${bucket}/${key.split('/').map(encodeQueryPart).join('/')}`;
    const request = { method, rawPath, rawQuery: '', rawHeaders: ['host', url.host] };
    const credentials = { accessKey, secret, region };
    const query = presign(request, credentials, { timeMs: clock.nowMs(), expiresSeconds: expiresInSeconds });
    return `${url.origin}${rawPath}?${query}`;
  };
}

const standing = `select k.access_key from access_keys k join users u on u.id = k.user_id
  where u.name = ? and k.revoked_at is null order by k.created_at desc limit 1`;

async function signingKeyOf({ store, access, service }: PresignerOptions) {
  const [row] = await store.read((reader) => reader.rows<{ access_key: string }>(standing, [signerName]));
  const known = row === undefined ? null : await access.findKey(row.access_key);
  if (row !== undefined && known !== null) return { accessKey: row.access_key, secret: known.secret };
  const made = await service.createKey('gateway', { user: null, label: signerName, bucket: null, permissions: null });
  return { accessKey: made.key.accessKey, secret: made.secret };
}
