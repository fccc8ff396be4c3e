import { type Route, route } from '../../kernel/http/server.ts';
import type { Keyring } from '../encryption/keyring.ts';
import { objectError } from '../errors.ts';
import { cancelRewrite, listRewrites, startRewrite } from '../ledger/rewrites.ts';
import { planPass } from '../rewriting/plan-pass.ts';
import type { RewriteAction } from '../rewriting/plan.ts';
import type { RewriteOptions } from '../rewriting/rewrite-content.ts';
import type { RewriteRow } from '../tables.ts';
import { encryptionContract } from './encryption-contract.ts';

export interface EncryptionRouteOptions extends Pick<
  RewriteOptions,
  'store' | 'buckets' | 'encryption' | 'newId' | 'clock'
> {
  /** `null` without root keys. */
  readonly keyring: Keyring | null;
}

const rewritesTold = 20;

/** Keys, and passes over what stands, over the API. */
export function encryptionRoutes(options: EncryptionRouteOptions): Route[] {
  const { store, buckets, encryption, newId, clock, keyring } = options;
  return [
    route(encryptionContract.getEncryption, async () => {
      const roots = keyring === null ? [] : [...keyring.rootKeys.byId.values()];
      const keys = (await keyring?.status()) ?? [];
      const rewrites = await store.read((reader) => listRewrites(reader, rewritesTold));
      return {
        root_keys: roots.map(({ id, origin }) => ({ id, origin, is_current: id === keyring?.rootKeys.current.id })),
        keys: keys.map(({ id, rootKeyId, state, createdAtMs }) => ({
          id,
          root_key_id: rootKeyId,
          state,
          created_at: timeOf(createdAtMs),
        })),
        rewrites: rewrites.map(rewriteView),
      };
    }),
    route(encryptionContract.rotateEncryption, async ({ caller }) => {
      if (keyring === null) throw objectError('NotImplemented', {}, 'No root keys are configured.');
      return { rewrapped: await keyring.rotate(caller.name) };
    }),
    route(encryptionContract.startRewrite, async ({ body, caller }) => {
      const { action, bucket = null } = body;
      if (bucket !== null) await buckets.get(bucket);
      if (action === 'encrypt') encryption.apply({ kind: 'aes256' }, {});
      if (body.dry_run === true) {
        const { isPartial, sample, ...plan } = await planPass(options, action, bucket);
        return { rewrite: null, plan: { ...plan, sample: [...sample], is_partial: isPartial } };
      }
      const wish = { id: newId('rw'), action, bucket, actor: caller.name, created_at: clock.nowMs() };
      return { rewrite: rewriteView(await store.write(startRewrite, wish)), plan: null };
    }),
    route(encryptionContract.cancelRewrite, async () => ({
      cancelled: await store.write(cancelRewrite, { nowMs: clock.nowMs() }),
    })),
  ];
}

function rewriteView(row: RewriteRow) {
  return {
    id: row.id,
    action: row.action as RewriteAction,
    bucket: row.bucket,
    state: row.state as 'running' | 'completed' | 'cancelled',
    seen: row.seen,
    rewritten: row.rewritten,
    rewritten_bytes: row.rewritten_bytes,
    failed: row.failed,
    last_error: row.last_error,
    created_at: timeOf(row.created_at),
    finished_at: row.finished_at === null ? null : timeOf(row.finished_at),
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
