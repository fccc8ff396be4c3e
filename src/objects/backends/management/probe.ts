import { randomBytes, randomUUID } from 'node:crypto';
import { HoldfastError, toErrorData } from '../../../kernel/errors/errors.ts';
import { chunksOf } from '../../content/content.ts';
import type { BlobFacts, ObjectBackend } from '../backend.ts';

/** Under which probe blobs stand for a moment, so that whoever looks at all blobs knows them. */
export const probePrefix = 'holdfast-probe/';
/** A probe takes seconds: what is older was left by a process that ended in the middle. */
const probeMsMax = 3_600_000;
/** So many that were left over are deleted by one probe. */
const leftMax = 100;
const blobBytes = 4_096;

export const probeSteps = ['health', 'write', 'read', 'list', 'delete'] as const;
export type ProbeStep = (typeof probeSteps)[number];

export interface ProbeStepReport {
  readonly step: ProbeStep;
  readonly tookMs: number;
  /** `null` when it went well. */
  readonly error: HoldfastError | null;
}

export interface ProbeReport {
  readonly isOk: boolean;
  /** In order; none follows the first that failed, but a written blob is always deleted. */
  readonly steps: readonly ProbeStepReport[];
  /** What the backend says of itself; `null` when it did not. */
  readonly detail: string | null;
}

/** Those of earlier releases do not tell since when they are there. */
const ownKey = new RegExp(`^${probePrefix}(?:(\\d{1,15})-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`);

/** A new key for a probe, which tells since when. */
export function probeKey(nowMs: number): string {
  return `${probePrefix}${nowMs}-${randomUUID()}`;
}

/**
 * Whether a blob is a probe that nobody is at any more, by the backend's clock and by that of whoever wrote it: the two may
 * differ, and a probe that is taken away in the middle would fail. What others put there is none.
 */
export function isProbeLeft({ key, modifiedAtMs }: Pick<BlobFacts, 'key' | 'modifiedAtMs'>, nowMs: number): boolean {
  const found = ownKey.exec(key);
  return found !== null && nowMs - Math.max(modifiedAtMs, Number(found[1] ?? 0)) > probeMsMax;
}

/**
 * Takes a blob through its life on a backend: whether it can be reached, and whether what is needed there is allowed. The
 * backend must have deadlines of its own. Probes that were left over there are deleted with it. Throws only the reason of
 * `signal`.
 */
export async function probeBackend(backend: ObjectBackend, signal: AbortSignal, nowMs: number): Promise<ProbeReport> {
  const key = probeKey(nowMs);
  let left: readonly BlobFacts[] = [];
  const bytes = randomBytes(blobBytes);
  const steps: ProbeStepReport[] = [];
  let detail: string | null = null;
  const work: Readonly<Record<ProbeStep, () => Promise<void>>> = {
    health: async () => void ({ detail } = await backend.health(signal)),
    write: () => backend.put(key, bytes, { sizeBytes: bytes.length, signal }),
    read: () => readBack(backend, key, bytes, signal),
    list: async () => {
      const { blobs } = await backend.list({ prefix: probePrefix, limit: leftMax }, signal);
      left = blobs.filter((blob) => isProbeLeft(blob, nowMs));
    },
    delete: async () => {
      await backend.delete(key, signal);
      for (const blob of left) await backend.delete(blob.key, signal);
    },
  };
  for (const step of probeSteps) {
    const hasFailed = steps.some(({ error }) => error !== null);
    const hasWritten = steps.some((one) => one.step === 'write');
    if (hasFailed && !(step === 'delete' && hasWritten)) continue;
    const beganAtMs = performance.now();
    const error = await work[step]().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    signal.throwIfAborted();
    steps.push({ step, tookMs: performance.now() - beganAtMs, error: error === null ? null : asOurs(error) });
  }
  return { isOk: steps.every(({ error }) => error === null), steps, detail };
}

/** The first failure of a report as an error to throw, of its own kind; `null` for a good report. */
export function failureOf(report: ProbeReport, name: string, consequence: string): HoldfastError | null {
  const failed = report.steps.find(({ error }) => error !== null);
  if (failed?.error == null) return null;
  const { kind, message, details } = failed.error;
  return new HoldfastError(kind, `Backend ${name} failed its test (${failed.step}): ${message} ${consequence}`, {
    ...details,
    reason: 'test_failed',
    step: failed.step,
  });
}

async function readBack(backend: ObjectBackend, key: string, bytes: Buffer, signal: AbortSignal): Promise<void> {
  const blob = await backend.get(key, null, signal);
  if (blob === null) throw new HoldfastError('backend', 'What was written is not there.');
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of chunksOf(blob.content)) {
      length += chunk.length;
      if (length > bytes.length) break;
      chunks.push(chunk);
    }
  } finally {
    blob.cancel();
  }
  if (length === bytes.length && Buffer.concat(chunks).equals(bytes)) return;
  throw new HoldfastError('backend', 'What was written does not come back as it was.');
}

function asOurs(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { message } = toErrorData(error);
  return new HoldfastError('internal', /[.]$/.test(message) ? message : `${message}.`, {}, error);
}
