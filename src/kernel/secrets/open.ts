import { HoldfastError } from '../errors/errors.ts';
import type { Reader, Store } from '../store/store.ts';
import { transaction } from '../store/transaction.ts';
import { type SecretKeySettings, loadSecretKey } from './load.ts';
import type { SecretKey } from './secret-key.ts';
import { type Sealer, createSealer } from './sealer.ts';

interface KeyCheck {
  readonly key_id: string;
  readonly sealed: string;
}

const about = 'secret-check';
const witness = 'This store was sealed with this key.';

/**
 * The sealer of this installation, with the key that the store was sealed with. The first start enters a check of its key
 * in the store; every later one, of any replica, must have the same key, or nothing that is sealed would open. Needs the
 * table `secret_check`. Throws `invalid` with one sentence when there is no key, it cannot be used, or it is another one.
 */
export async function openSealer(store: Store, settings: SecretKeySettings): Promise<Sealer> {
  const known = await store.read(findCheck);
  const key = loadSecretKey(settings, known === null);
  const sealer = createSealer(key);
  const check = known ?? (await store.write(enterKeyCheck, { key_id: key.id, sealed: sealer.seal(witness, about) }));
  if (check.key_id !== key.id) throw otherKey(check.key_id, key);
  // The id is a short name. This opens something with the key itself.
  if (sealer.open(check.sealed, about) !== witness) throw otherKey(check.key_id, key);
  return sealer;
}

/** Enters the check of a key unless there is one; gives the one that stands. */
export const enterKeyCheck = transaction(
  import.meta.url,
  'enterKeyCheck',
  async (tx, check: KeyCheck): Promise<KeyCheck> => {
    // Two replicas that start for the first time at once may have made a key each: one of them must lose.
    await tx.lock('secret-check');
    const known = await findCheck(tx);
    if (known !== null) return known;
    await tx.run('insert into secret_check (key_id, sealed) values (?, ?)', [check.key_id, check.sealed]);
    return check;
  },
);

async function findCheck(reader: Reader): Promise<KeyCheck | null> {
  const [row] = await reader.rows<KeyCheck>('select key_id, sealed from secret_check limit 1', []);
  return row === undefined ? null : { key_id: row.key_id, sealed: row.sealed };
}

function otherKey(keyId: string, key: SecretKey): HoldfastError {
  const message =
    `The secrets of this store are sealed with the key ${keyId}, and this server has ${key.id} (from ${key.origin}): ` +
    `give every server the same key with HOLDFAST_SECRET_KEY or HOLDFAST_SECRET_KEY_FILE.`;
  return new HoldfastError('invalid', message, { field: 'HOLDFAST_SECRET_KEY', key_id: keyId });
}
