import { createToken, listTokens, newSecret, revokeToken } from '../kernel/auth/tokens.ts';
import type { Config } from '../kernel/config/config.ts';
import type { Role } from '../kernel/http/contract.ts';
import { createIdSource } from '../kernel/ids.ts';
import { openStore } from '../kernel/store/open.ts';
import type { Store } from '../kernel/store/store.ts';
import { type Output, json, table } from './output.ts';
import { storeSettings } from './store.ts';

/** Runs with the store of this machine's configuration, beside a running server or without one. */
async function withStore(config: Config, body: (store: Store) => Promise<void>): Promise<void> {
  const store = await openStore(storeSettings(config), { owner: false });
  try {
    await body(store);
  } finally {
    await store.close();
  }
}

/** Makes a token and shows its secret, this once. */
export async function tokenCreate(
  config: Config,
  output: Output,
  name: string,
  role: string,
  isJson: boolean,
): Promise<void> {
  await withStore(config, async (store) => {
    const { secret, hash } = newSecret();
    const id = createIdSource()('tok');
    await store.write(createToken, { id, name, role: role as Role, hash, nowMs: Date.now() });
    if (isJson) return output.line(json({ id, name, role, token: secret }));
    output.line(`Token "${name}" (${role}). It is shown only now:\n\n  ${secret}\n`);
    output.line('Send it as "Authorization: Bearer <token>", or set HOLDFAST_TOKEN for this command.');
  });
}

export async function tokenList(config: Config, output: Output, isJson: boolean): Promise<void> {
  await withStore(config, async (store) => {
    const tokens = await store.read(listTokens);
    if (isJson) return output.line(json(tokens));
    const time = (ms: number | null) => (ms === null ? '' : new Date(ms).toISOString());
    const rows = tokens.map(({ name, role, createdAtMs, revokedAtMs, id }) => [
      name,
      role,
      time(createdAtMs),
      time(revokedAtMs),
      id,
    ]);
    for (const line of table(['NAME', 'ROLE', 'CREATED', 'REVOKED', 'ID'], rows)) output.line(line);
  });
}

export async function tokenRevoke(config: Config, output: Output, reference: string): Promise<void> {
  await withStore(config, async (store) => {
    await store.write(revokeToken, { reference, nowMs: Date.now() });
    output.line(`Token ${reference} is revoked.`);
  });
}
