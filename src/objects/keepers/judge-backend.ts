import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { BlobFacts } from '../backends/backend.ts';
import { isProbeLeft } from '../backends/management/probe.ts';
import type { KnownBackend } from '../backends/registry.ts';
import { type Compared, type ComparedBackend, compare, stillMissing, stillUnknown } from '../checking/compare.ts';
import { bornAtMs, isOwnBlob, isOwnKey } from '../checking/unknown-blob.ts';
import type { CopyRow } from '../tables.ts';
import { type ImportTarget, importTargetOf } from './import-foreign.ts';
import type { ReconcileOptions } from './reconcile.ts';

/** What was found on a backend; counted up. */
export interface ReconcileFindings {
  blobs: number;
  missing: number;
  young: number;
  /** Unknown blobs that a gateway wrote, and those of others. */
  ownUnknown: number;
  foreign: number;
  unknownBytes: number;
  /** What could not be looked at. */
  unreadable: number;
  readonly examples: string[];
}

/** What is to become of one storage key. */
export type Verdict =
  /** Both sides have it, it is too young to say, or it could not be looked at. */
  | { readonly kind: 'nothing' }
  /** The copy is not there, or not as long as it should be. */
  | { readonly kind: 'missing'; readonly copy: CopyRow }
  /** Nobody knows the blob: it is told of, and nothing else. */
  | { readonly kind: 'report'; readonly blob: BlobFacts }
  /** A gateway wrote the blob, and nothing refers to it: what it once was has been deleted, or never came to be. */
  | { readonly kind: 'delete'; readonly blob: BlobFacts }
  /** A trial of the backend that was cut off. */
  | { readonly kind: 'clear'; readonly blob: BlobFacts }
  | { readonly kind: 'import'; readonly blob: BlobFacts; readonly target: ImportTarget };

export interface Judged {
  readonly key: string;
  readonly verdict: Verdict;
}

const callTimeoutMs = 60_000;
const examplesMax = 5;
/**
 * So many are dealt with one by one. When there are more, and they are more than half of what was compared, then it is not
 * copies that went missing, or blobs that were left over: the backend is another one, or the ledger is an old one.
 */
const amissMax = 100;
const nothing: Verdict = { kind: 'nothing' };

interface Round extends ReconcileOptions {
  readonly known: KnownBackend;
  readonly compared: ComparedBackend;
  readonly findings: ReconcileFindings;
}

/**
 * Compares a backend with the ledger from a storage key on, and says of each key what is to become of it. Only looks. Throws
 * `backend` when the listing is out of order, and when so much is amiss that nothing should be done about it without a person.
 */
export async function* judgeBackend(
  options: ReconcileOptions,
  known: KnownBackend,
  after: string,
  { findings, signal }: { readonly findings: ReconcileFindings; readonly signal: AbortSignal },
): AsyncGenerator<Judged> {
  const compared = { store: options.store, name: known.name, backend: known.backend, signal };
  const round: Round = { ...options, known, compared, findings };
  for await (const one of compare(compared, after)) {
    signal.throwIfAborted();
    if (one.kind !== 'missing' && one.kind !== 'probe') findings.blobs++;
    const verdict = await judge(round, one).catch((error: unknown) => {
      noteUnreadable(options, known, one.key, { findings, error, signal });
      return nothing;
    });
    yield { key: one.key, verdict };
  }
}

/** What cannot be looked at is no reason to leave all that follows; when it is too much, throws the error. */
export function noteUnreadable(
  { onError }: Pick<ReconcileOptions, 'onError'>,
  { name }: KnownBackend,
  key: string,
  what: { readonly findings: ReconcileFindings; readonly error: unknown; readonly signal: AbortSignal },
): void {
  const { findings, error, signal } = what;
  if (signal.aborted || error instanceof Amiss || ++findings.unreadable > amissMax) throw error;
  onError(error, `${key} on ${name} could not be compared`);
}

async function judge(round: Round, one: Compared): Promise<Verdict> {
  if (one.kind === 'unknown') return judgeUnknown(round, one.blob);
  if (one.kind === 'probe')
    return isProbeLeft(one.blob, round.clock.nowMs()) ? { kind: 'clear', blob: one.blob } : nothing;
  const isAmiss =
    one.kind === 'missing'
      ? await stillMissing(round.compared, one.copy)
      : one.blob.sizeBytes !== one.copy.stored_bytes;
  return isAmiss ? judgeMissing(round, one.copy) : nothing;
}

/** So much is amiss that a person must look. */
class Amiss extends HoldfastError {
  constructor(sentence: string, reason: string) {
    super('backend', sentence, { reason });
  }
}

/** A copy that is not there, or not as long as it should be, is a bad one. */
function judgeMissing({ findings, known }: Round, copy: CopyRow): Verdict {
  findings.missing++;
  if (findings.missing > amissMax && findings.missing > findings.blobs) {
    throw new Amiss(
      `More than half of the copies that should stand on ${known.name} are not there, so nothing more is done about them: see whether it is the right place, and drain or remove it when they are lost.`,
      'too_much_missing',
    );
  }
  return { kind: 'missing', copy };
}

async function judgeUnknown(round: Round, listed: BlobFacts): Promise<Verdict> {
  const { clock, graceMs, unknown, compared, findings, known } = round;
  if (clock.nowMs() - bornAtMs(listed) < graceMs) {
    findings.young++;
    return nothing;
  }
  const blob = await stillUnknown(compared, listed.key);
  if (blob === null) return nothing;
  const limits = AbortSignal.any([compared.signal, AbortSignal.timeout(callTimeoutMs)]);
  const isOurs = unknown === 'ignore' ? isOwnKey(blob.key) : await isOwnBlob(known.backend, blob, limits);
  if (isOurs) findings.ownUnknown++;
  else findings.foreign++;
  findings.unknownBytes += blob.sizeBytes;
  if (findings.examples.length < examplesMax) findings.examples.push(blob.key.slice(0, 200));
  if (isOurs && (unknown === 'import' || unknown === 'delete-after')) return judgeOrphan(round, blob);
  const target = isOurs || unknown !== 'import' ? null : await importTargetOf(round, known, blob, compared.signal);
  return target === null ? { kind: 'report', blob } : { kind: 'import', blob, target };
}

function judgeOrphan({ findings, known }: Round, blob: BlobFacts): Verdict {
  if (findings.ownUnknown > amissMax && findings.ownUnknown > findings.blobs / 2) {
    throw new Amiss(
      `More than half of what ${known.name} holds was written by a gateway and is not in the ledger, so nothing more is deleted: see whether the ledger is an old one, and rebuild it then.`,
      'too_much_unknown',
    );
  }
  return { kind: 'delete', blob };
}
