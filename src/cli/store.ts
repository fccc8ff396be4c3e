import type { Config } from '../kernel/config/config.ts';
import type { StoreSettings } from '../kernel/store/open.ts';
import { migrations } from '../migrations.ts';

/** Where a command finds the store that the server uses. */
export function storeSettings({ values }: Config): StoreSettings {
  const { databaseUrl, dataDir: dataDirectory, databaseTimeoutMs: timeoutMs } = values;
  return { databaseUrl, dataDirectory, timeoutMs, migrations };
}
