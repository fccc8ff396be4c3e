import { randomBytes, randomUUID } from 'node:crypto';
import { HoldfastError, toErrorData } from '../../../kernel/errors/errors.ts';
import { chunksOf } from '../../content/content.ts';
import type { ObjectBackend } from '../backend.ts';

/** Under which probe blobs stand for a moment, so that whoever looks at all blobs knows them. */
export const probePrefix = 'holdfast-probe/';
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

/**
 * Takes a blob through its life on a backend: whether it can be reached, and whether what is needed there is allowed. The
 * backend must have deadlines of its own. Throws only the reason of `signal`.
 */
export async function probeBackend(backend: ObjectBackend, signal: AbortSignal): Promise<ProbeReport> {
  const key = `${probePrefix}${randomUUID()}`;
  const bytes = randomBytes(blobBytes);
  const steps: ProbeStepReport[] = [];
  let detail: string | null = null;
  const work: Readonly<Record<ProbeStep, () => Promise<void>>> = {
    health: async () => void ({ detail } = await backend.health(signal)),
    write: () => backend.put(key, bytes, { sizeBytes: bytes.length, signal }),
    read: () => readBack(backend, key, bytes, signal),
    list: async () => void (await backend.list({ prefix: key, limit: 1 }, signal)),
    delete: async () => void (await backend.delete(key, signal)),
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
