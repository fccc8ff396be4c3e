import { HoldfastError, toErrorData } from '../../../kernel/errors/errors.ts';
import type { BackendSettings, ObjectBackend, ObjectBackendKind } from '../backend.ts';
import { defaultBreakerPolicy } from '../breaker.ts';
import { type GuardTimeouts, GuardedBackend } from '../guarded.ts';
import type { UsageDelta } from '../usage.ts';
import { failureOf, probeBackend, probeKey } from './probe.ts';
import type { BlobSample } from './queries.ts';

export interface TrialOptions {
  readonly name: string;
  readonly kind: ObjectBackendKind;
  readonly settings: BackendSettings;
  readonly timeouts: GuardTimeouts;
  readonly wrap: (name: string, backend: ObjectBackend) => ObjectBackend;
}

/** The real system with deadlines, and with a breaker that knows only of the few calls of this trial. */
export function onTrial(
  name: string,
  backend: ObjectBackend,
  timeouts: GuardTimeouts,
  count: (delta: UsageDelta) => void = () => {},
): GuardedBackend {
  return new GuardedBackend(backend, {
    name,
    timeouts,
    count,
    policy: defaultBreakerPolicy,
    clock: { nowMs: () => performance.now() },
    random: Math.random,
    observe: () => {},
  });
}

/** Opens a backend with settings that are not in use yet, runs `look` on it, and closes it. */
export async function tryOut<T>(options: TrialOptions, look: (backend: ObjectBackend) => Promise<T>): Promise<T> {
  const { name, kind, settings, timeouts, wrap } = options;
  const backend = onTrial(name, wrap(name, kind.open(settings)), timeouts);
  try {
    return await look(backend);
  } finally {
    await backend.close(timeouts.answerMs);
  }
}

/** Throws what is wrong when a probe blob cannot live on a backend. */
export async function requireWorking(
  backend: ObjectBackend,
  name: string,
  consequence: string,
  nowMs: number,
): Promise<void> {
  const report = await probeBackend(backend, new AbortController().signal, nowMs);
  const failure = failureOf(report, name, consequence);
  if (failure !== null) throw failure;
}

/**
 * Throws `conflict` unless blobs that stand on a backend are found through these settings too: whatever was changed, it is
 * the same place then. Only looking tells: two names may be one server, and one path may be another disk.
 */
export async function requireSamePlace(
  backend: ObjectBackend,
  name: string,
  samples: readonly BlobSample[],
): Promise<void> {
  for (const { storageKey, storedBytes } of samples) {
    let problem: string | null = null;
    try {
      const facts = await backend.head(storageKey, new AbortController().signal);
      if (facts === null) problem = 'it is not there';
      else if (facts.sizeBytes !== storedBytes) problem = `it has ${facts.sizeBytes} bytes instead of ${storedBytes}`;
    } catch (error) {
      problem = toErrorData(error).message.replace(/[.]$/, '');
    }
    if (problem === null) continue;
    const message =
      `Copies stand on backend ${name}, and with the new settings one of them is not found (${problem}). ` +
      'Drain it first, or force the change.';
    throw new HoldfastError('conflict', message, { reason: 'moved', storage_key: storageKey });
  }
}

/**
 * Throws `conflict` when a blob that is written here is seen through another backend: two copies there would be one.
 * Others that do not answer are passed over.
 */
export async function requireOwnPlace(
  backend: ObjectBackend,
  name: string,
  others: readonly { readonly name: string; readonly backend: ObjectBackend }[],
  nowMs: number,
): Promise<void> {
  if (others.length === 0) return;
  const { signal } = new AbortController();
  const key = probeKey(nowMs);
  const bytes = Buffer.from(key);
  await backend.put(key, bytes, { sizeBytes: bytes.length, signal });
  try {
    const looks = others.map(async (other) => ((await other.backend.head(key, signal)) === null ? null : other.name));
    const seen = (await Promise.allSettled(looks)).find((look) => look.status === 'fulfilled' && look.value !== null);
    if (seen?.status !== 'fulfilled') return;
    const message = `Backend ${name} would be the same place as backend ${seen.value}, and two copies there would be one.`;
    throw new HoldfastError('conflict', message, { reason: 'same_place', backend: seen.value });
  } finally {
    await backend.delete(key, signal);
  }
}
