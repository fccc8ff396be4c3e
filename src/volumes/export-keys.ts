import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import { type ExportSecret, type VolumeExport, exportSecret } from './export.ts';
import { newDhchapKey } from './exports/dhchap-key.ts';
import type { ExportDhchap } from './exports/target.ts';

/** A TLS key of its own for an export. */
export function newTlsSecret(exportId: string): ExportSecret {
  return { tls: { identity: exportId, keyHex: randomBytes(32).toString('hex') } };
}

/**
 * The DH-HMAC-CHAP keys for an export that these hosts may connect to. A host proves itself with the same key to all that one
 * machine exports to it, so what the others of `standing` ask of them is asked here as well; without any the keys are new.
 * Both directions have a key; a host that does not ask the target to prove itself needs the first only.
 *
 * @throws HoldfastError `conflict` when the exports that stand ask something else of these hosts.
 */
export function dhchapSecret(
  standing: readonly VolumeExport[],
  sealer: Sealer,
  hosts: readonly string[],
): ExportSecret {
  let keys: ExportDhchap | null = null;
  for (const one of sharing(standing, hosts)) {
    const theirs = dhchapOf(one, sealer);
    if (theirs === null) throw differs(one, 'connect to that without keys');
    if (keys !== null && theirs.key !== keys.key) throw differs(one, 'have keys of their own there');
    keys = theirs;
  }
  return { tls: null, dhchap: keys ?? { key: newDhchapKey(), controllerKey: newDhchapKey() } };
}

/** @throws HoldfastError `conflict` when one of these hosts must prove itself already. */
export function requireNoKeys(standing: readonly VolumeExport[], hosts: readonly string[]): void {
  const keyed = sharing(standing, hosts).find(({ sealedSecret }) => sealedSecret !== null);
  if (keyed !== undefined) throw differs(keyed, 'need keys there');
}

function sharing(standing: readonly VolumeExport[], hosts: readonly string[]): readonly VolumeExport[] {
  return standing.filter(({ allowedHosts }) => allowedHosts.some((nqn) => hosts.includes(nqn)));
}

function dhchapOf({ id, sealedSecret }: VolumeExport, sealer: Sealer): ExportDhchap | null {
  if (sealedSecret === null) return null;
  return (JSON.parse(sealer.open(sealedSecret, exportSecret(id))) as ExportSecret).dhchap ?? null;
}

function differs({ id, host, volumeId }: VolumeExport, how: string): HoldfastError {
  const message = `Host ${host} exports volume ${volumeId} to the same machines, which ${how}; keys count for all exports of a host.`;
  return new HoldfastError('conflict', message, { field: 'chap', export_id: id });
}
