import type { Sealer } from '../kernel/secrets/sealer.ts';
import { toTarget } from './rows.ts';
import type { TargetRow } from './tables.ts';
import { type OpenTarget, type TargetSecrets, targetResource } from './target.ts';

/** Secrets as they are kept: sealed for their target. */
export function sealSecrets(sealer: Sealer, name: string, secrets: TargetSecrets): string {
  return sealer.seal(JSON.stringify(secrets), targetResource(name));
}

/** A target with its secrets. Throws `internal` when they were sealed with another key. */
export function openTarget(sealer: Sealer, row: TargetRow): OpenTarget {
  const secrets = JSON.parse(sealer.open(row.secrets, targetResource(row.name))) as TargetSecrets;
  return { ...toTarget(row), secrets };
}
