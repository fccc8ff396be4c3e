import type { Config } from '../kernel/config/config.ts';
import { type StoreSettings, openMigrator } from '../kernel/store/open.ts';
import { type Output, json, table } from './output.ts';
import { storeSettings } from './store.ts';

/** `holdfast migrate up|down|status` */
export async function migrate(
  config: Config,
  output: Output,
  action: 'up' | 'down' | 'status',
  options: { readonly steps: number; readonly isJson: boolean },
): Promise<void> {
  const settings: StoreSettings = storeSettings(config);
  const migrator = await openMigrator(settings);
  try {
    if (action === 'status') {
      const status = await migrator.status();
      if (options.isJson) return output.line(json(status));
      const rows = status.map(({ name, appliedAt }) => [
        name,
        appliedAt === null ? 'missing' : appliedAt.toISOString(),
      ]);
      for (const line of table(['MIGRATION', 'APPLIED'], rows)) output.line(line);
      return;
    }
    const names = action === 'up' ? await migrator.up() : await migrator.down(options.steps);
    if (options.isJson) return output.line(json({ [action]: names }));
    output.line(
      names.length === 0 ? 'Nothing to do.' : `${action === 'up' ? 'Applied' : 'Taken back'}: ${names.join(', ')}`,
    );
  } finally {
    await migrator.close();
  }
}
