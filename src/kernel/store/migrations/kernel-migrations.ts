import { kernelMigration } from './0001_kernel.ts';
import { keepersMigration } from './0009_keepers.ts';
import type { Migration } from './migration.ts';

/** What the kernel itself needs of a store. */
export const kernelMigrations: readonly Migration[] = [kernelMigration, keepersMigration];
