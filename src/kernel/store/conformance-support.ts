import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { HoldfastError, type ErrorKind } from '../errors/errors.ts';
import { type StoreEngine } from '../../../test/support/stores.ts';
import { conformanceMigration } from './conformance-transactions.ts';
import { kernelMigration } from './migrations/0001_kernel.ts';
import { openStore, type StoreSettings } from './open.ts';
import type { Store } from './store.ts';

/** The sentence a failing store gives: one line, ending as sentences do. */
export const oneSentence = /^[A-Z][^\n]*[.]$/;

export const conformanceMigrations = [kernelMigration, conformanceMigration];

/** A store on fresh data with the suite's own table; `await using` closes it. */
export async function openConformanceStore(
  engine: StoreEngine,
  change: Partial<StoreSettings> = {},
): Promise<{ store: Store; settings: StoreSettings } & AsyncDisposable> {
  const settings = { ...(await engine.fresh(conformanceMigrations)), ...change };
  const store = await openStore(settings, { owner: true });
  return { store, settings, [Symbol.asyncDispose]: () => store.close() };
}

/** Expects a rejection with a kind of ours, and gives it. */
export async function rejection(promise: Promise<unknown>, kind: ErrorKind): Promise<HoldfastError> {
  const error: unknown = await promise.then(
    () => assert.fail(`expected ${kind}, but it succeeded`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HoldfastError, `expected ${kind}, got ${String(error)}`);
  assert.equal(error.kind, kind, error.message);
  return error;
}

/** Starts `conformance-process.ts`; `answer` is its one line. */
export function anotherProcess(
  command: 'own' | 'write' | 'migrate',
  settings: StoreSettings,
): { answer: Promise<Record<string, unknown>>; child: ChildProcess } {
  const script = fileURLToPath(new URL('./conformance-process.ts', import.meta.url));
  const { databaseUrl, dataDirectory } = settings;
  const child = spawn(process.execPath, [script, command, JSON.stringify({ databaseUrl, dataDirectory })], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answer = once(child.stdout!, 'data').then(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
  return { answer, child };
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
