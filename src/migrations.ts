import { kernelMigration } from './kernel/store/migrations/0001_kernel.ts';
import { keepersMigration } from './kernel/store/migrations/0009_keepers.ts';
import type { Migration } from './kernel/store/migrations/migration.ts';
import { objectsMigration } from './objects/migrations/0003_objects.ts';
import { storageMigrationsMigration } from './objects/migrations/0014_storage_migrations.ts';
import { quotasMigration } from './objects/migrations/0015_quotas.ts';
import { accessMigration } from './objects/migrations/0004_access.ts';
import { usageFlushesMigration } from './objects/migrations/0005_usage_flushes.ts';
import { storedFormsMigration } from './objects/migrations/0011_stored_forms.ts';
import { upkeepMigration } from './objects/migrations/0013_upkeep.ts';
import { keepingMigration } from './objects/migrations/0016_keeping.ts';
import { rebuildsMigration } from './objects/migrations/0017_rebuilds.ts';
import { storageClassesMigration } from './objects/migrations/0018_storage_classes.ts';
import { countingMigration } from './objects/migrations/0019_counting.ts';
import { rebuildSettingsMigration } from './objects/migrations/0020_rebuild_settings.ts';
import { hostsMigration } from './hosts/migrations/0006_hosts.ts';
import { notificationsMigration } from './notifications/migrations/0012_notifications.ts';
import { exportsMigration } from './volumes/migrations/0008_exports.ts';
import { volumesMigration } from './volumes/migrations/0002_volumes.ts';
import { snapshotNamesMigration } from './volumes/migrations/0010_snapshot_names.ts';
import { backendParametersMigration } from './volumes/migrations/0007_backend_parameters.ts';

/** Every migration, in order. */
export const migrations: readonly Migration[] = [
  kernelMigration,
  volumesMigration,
  objectsMigration,
  accessMigration,
  usageFlushesMigration,
  hostsMigration,
  backendParametersMigration,
  exportsMigration,
  keepersMigration,
  snapshotNamesMigration,
  storedFormsMigration,
  notificationsMigration,
  upkeepMigration,
  storageMigrationsMigration,
  quotasMigration,
  keepingMigration,
  rebuildsMigration,
  storageClassesMigration,
  countingMigration,
  rebuildSettingsMigration,
];
