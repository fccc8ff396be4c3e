import { HoldfastError } from '../../kernel/errors/errors.ts';
import { decodeCursor, page } from '../../kernel/http/cursor.ts';
import { Reply, type Route, route } from '../../kernel/http/server.ts';
import type { Store } from '../../kernel/store/store.ts';
import { accessContract } from './contract.ts';
import { isAccessKey } from './credentials.ts';
import { type KeyPage, listGrants, listKeys, listUsers, requireUser } from './queries.ts';
import { AccessService, type AccessServiceOptions } from './service.ts';
import { grantView, keyView, userView } from './view.ts';

const defaultLimit = 100;

/** The API of users, grants and access keys. */
export function accessRoutes(options: AccessServiceOptions): Route[] {
  const service = new AccessService(options);
  return [...userRoutes(options.store, service), ...keyRoutes(options.store, service)];
}

function userRoutes(store: Store, service: AccessService): Route[] {
  return [
    route(accessContract.createUser, async ({ body, caller }) =>
      userView(await service.createUser(caller.name, body.name, body.is_admin ?? false)),
    ),
    route(accessContract.listUsers, async ({ query }) => {
      const limit = query.limit ?? defaultLimit;
      const afterId = decodeCursor(query.cursor);
      const rows = await store.read((reader) => listUsers(reader, { afterId, limit: limit + 1 }));
      return page(rows, limit, ({ id }) => id, userView);
    }),
    route(accessContract.getUser, async ({ params }) =>
      userView(await store.read((reader) => requireUser(reader, params.user))),
    ),
    route(accessContract.listGrants, async ({ params }) => {
      const { id } = await store.read((reader) => requireUser(reader, params.user));
      return { items: (await store.read((reader) => listGrants(reader, id))).map(grantView) };
    }),
    route(accessContract.setGrant, async ({ params, body, caller }) =>
      grantView(await service.setGrant(caller.name, params.user, body.bucket, body.permissions)),
    ),
    route(accessContract.removeGrant, async ({ params, caller }) => {
      await service.removeGrant(caller.name, params.user, params.bucket);
      return null;
    }),
  ];
}

function keyRoutes(store: Store, service: AccessService): Route[] {
  return [
    route(accessContract.createKey, async ({ body, caller }) => {
      const { user = null, label = '', bucket = null, permissions = null } = body;
      const { key, secret } = await service.createKey(caller.name, { user, label, bucket, permissions });
      return new Reply({ ...keyView(key), secret }, { 'cache-control': 'no-store' });
    }),
    route(accessContract.listKeys, async ({ query }) => {
      const limit = query.limit ?? defaultLimit;
      const after = keyPosition(query.cursor);
      const { user } = query;
      const userId = user === undefined ? undefined : (await store.read((reader) => requireUser(reader, user))).id;
      const rows = await store.read((reader) => listKeys(reader, { userId, after, limit: limit + 1 }));
      return page(rows, limit, ({ createdAtMs, accessKey }) => `${createdAtMs}:${accessKey}`, keyView);
    }),
    route(accessContract.revokeKey, async ({ params, caller }) => {
      await service.revokeKey(caller.name, params.key);
      return null;
    }),
  ];
}

/** Keys do not sort by the time of their making, so a page ends at a time and a key. */
function keyPosition(cursor: string | undefined): KeyPage['after'] {
  const position = decodeCursor(cursor);
  if (position === undefined) return undefined;
  const [time = '', accessKey = ''] = position.split(':');
  if (!/^\d{1,15}$/.test(time) || !isAccessKey(accessKey)) {
    throw new HoldfastError('invalid', 'The cursor is not one that this server gave.', { field: 'cursor' });
  }
  return { createdAtMs: Number(time), accessKey };
}
