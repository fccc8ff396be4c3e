import { decodeCursor, page } from '../../kernel/http/cursor.ts';
import { type Route, Reply, route } from '../../kernel/http/server.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { type BucketSettings, defaultBucketSettings } from '../bucket.ts';
import { requireBucketName } from '../bucket-name.ts';
import { checkGateway } from '../checking/check-gateway.ts';
import { objectError } from '../errors.ts';
import type { ObjectGateway } from '../gateway.ts';
import { requeueCleanup } from '../ledger/cleanup.ts';
import { bucketContract, gatewayContract } from './contract.ts';
import { bucketView, checkView, settingsFrom } from './view.ts';

/** How long a check may take before it is given up. */
const checkTimeoutMs = 30 * 60_000;
const defaultLimit = 100;

export interface BucketRouteOptions {
  readonly gateway: ObjectGateway;
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly clock: Clock;
}

/** Buckets and the whole gateway, over the API. */
export function bucketRoutes({ gateway, store, registry, clock }: BucketRouteOptions): Route[] {
  const { buckets } = gateway;
  return [
    route(bucketContract.createBucket, async ({ body, caller }) => {
      const { name, object_lock: isLockEnabled = false, ...wish } = body;
      requireBucketName(name);
      const settings: Partial<BucketSettings> = { ...settingsFrom(wish), isLockEnabled };
      // Locked versions must be versions.
      if (isLockEnabled) Object.assign(settings, { versioning: 'enabled' });
      requireEnough(registry, { ...defaultBucketSettings, ...settings });
      return bucketView(await buckets.create(name, caller.name, settings));
    }),
    route(bucketContract.listBuckets, async ({ query }) => {
      const limit = query.limit ?? defaultLimit;
      const after = decodeCursor(query.cursor) ?? '';
      const rows = await buckets.list({ after, prefix: query.prefix ?? '', limit: limit + 1 });
      return page(rows, limit, ({ name }) => name, bucketView);
    }),
    route(bucketContract.getBucket, async ({ params }) => bucketView(await buckets.get(params.bucket))),
    route(bucketContract.changeBucket, async ({ params, body, caller }) => {
      const wish = settingsFrom(body);
      const changed = await buckets.update(
        params.bucket,
        (settings) => {
          const next = { ...settings, ...wish };
          if (next.isLockEnabled && next.versioning !== 'enabled') throw objectError('InvalidBucketState');
          requireEnough(registry, next);
          return next;
        },
        caller.name,
      );
      return bucketView(changed);
    }),
    route(bucketContract.deleteBucket, async ({ params, caller }) => {
      await buckets.delete(params.bucket, caller.name);
      return { name: params.bucket };
    }),
    route(gatewayContract.checkGateway, async ({ body }) => {
      const signal = AbortSignal.timeout(checkTimeoutMs);
      return new Reply(checkView(await checkGateway(store, registry, { isDeep: body.deep ?? false, signal })));
    }),
    route(gatewayContract.retryCleanup, async ({ body }) => ({
      requeued: await store.write(requeueCleanup, { backend: body.backend ?? null, nowMs: clock.nowMs() }),
    })),
  ];
}

/** A wish for more copies than there are backends could never be fulfilled. */
function requireEnough(registry: ObjectBackendRegistry, { copies, requiredLabels }: BucketSettings): void {
  const fitting = registry.all.filter(({ labels }) =>
    Object.entries(requiredLabels).every(([label, value]) => labels[label] === value),
  );
  if (copies <= Math.max(1, fitting.length)) return;
  const message = `${copies} copies need as many backends with these labels, and there are ${fitting.length}.`;
  throw objectError(
    'InvalidArgument',
    { field: 'copies', provided_value: copies, maximum_value: fitting.length },
    message,
  );
}
