import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { checkBackend } from './check-backend.ts';
import { checkLedger } from './check-ledger.ts';
import { type CheckReport, type Finding, findingsMax } from './report.ts';

const counts = `select (select count(*) from objects where is_marker = 0) as objects, (select count(*) from copies) as copies,
  (select count(*) from shortfalls) as owed, (select count(*) from cleanup where state = 'waiting') as waiting,
  (select count(*) from cleanup where state = 'dead') as dead`;

/**
 * Accounts for every byte: every object has its copies, every byte on every backend is owned, and the books add up. Reads
 * only, and may run beside anything. `isDeep` reads the bytes of all copies too.
 */
export async function checkGateway(
  store: Store,
  registry: ObjectBackendRegistry,
  { isDeep, signal }: { readonly isDeep: boolean; readonly signal: AbortSignal },
): Promise<CheckReport> {
  const findings: Finding[] = await store.read(checkLedger);
  let blobs = 0;
  for (const { name, backend } of registry.all) {
    try {
      const found = await checkBackend({ store, name, backend, isDeep, signal });
      blobs += found.blobs;
      findings.push(...found.findings);
    } catch (error) {
      signal.throwIfAborted();
      const message = error instanceof Error ? error.message : String(error);
      findings.push({ kind: 'unreachable', detail: `The backend ${name} could not be looked at: ${message}` });
    }
  }
  const [row] = await store.read((reader) => reader.rows<Record<string, number | string>>(counts, []));
  return {
    objects: Number(row!['objects']),
    copies: Number(row!['copies']),
    blobs,
    owedCopies: Number(row!['owed']),
    waitingDeletions: Number(row!['waiting']),
    deadLetters: Number(row!['dead']),
    findings: findings.slice(0, findingsMax),
    isTruncated: findings.length > findingsMax,
  };
}
