import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Keeper, KeeperPlan } from '../../src/kernel/keepers/keeper.ts';
import type { Lab } from './lab.ts';

export type Row = Readonly<Record<string, unknown>>;

/** All rows of all tables, and the blobs of all backends as `key sha256`. */
export interface Picture {
  readonly tables: Readonly<Record<string, readonly Row[]>>;
  readonly blobs: Readonly<Record<string, readonly string[]>>;
}

/** What a keeper may ask of a backend without changing anything. */
const lookingVerbs = ['get', 'head', 'list', 'health'];
const { signal } = new AbortController();

export async function takePicture({ store, backends }: Lab): Promise<Picture> {
  const tables = await store.read(async (reader) => {
    const found: Record<string, Row[]> = {};
    for (const { name } of await reader.db.introspection.getTables())
      found[name] = await reader.rows<Row>(`select * from ${name}`, []);
    return found;
  });
  for (const rows of Object.values(tables)) rows.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  const blobs = backends.map(({ name, backend }) => {
    const told = [...backend.blobs].map(
      ([key, { bytes }]) => `${key} ${createHash('sha256').update(bytes).digest('hex')}`,
    );
    return [name, told.sort()] as const;
  });
  return { tables, blobs: Object.fromEntries(blobs) };
}

/** Rows of a table that one picture has and the other has not, by what tells them apart. */
export function rowsOnlyIn(one: Picture, other: Picture, table: string, idOf: (row: Row) => string): Row[] {
  const known = new Set(other.tables[table]!.map(idOf));
  return one.tables[table]!.filter((row) => !known.has(idOf(row)));
}

/** Calls of backends, each as `verb key on backend`. */
export function callsOf({ backends }: Lab): string[] {
  return backends.flatMap(({ name, backend }) => backend.calls.map(({ verb, key }) => `${verb} ${key} on ${name}`));
}

/** A plan that was made twice and carried out. */
export interface CarriedOut {
  readonly plan: KeeperPlan;
  readonly before: Picture;
  readonly after: Picture;
  /** Calls of backends in the run. */
  readonly calls: readonly string[];
  readonly told: string;
}

/** Makes a plan, which must change nothing and be the same when it is made again, and then runs the keeper. */
export async function planAndRun(lab: Lab, keeper: Keeper): Promise<CarriedOut> {
  const before = await takePicture(lab);
  const [begun, writes] = [callsOf(lab), lab.store.writes.length];
  const plan = await keeper.plan!(signal);
  const looks = callsOf(lab);
  assert.deepEqual(await takePicture(lab), before, `a plan of ${keeper.name} changes nothing`);
  assert.equal(lab.store.writes.length, writes, `a plan of ${keeper.name} writes nothing`);
  for (const call of without(looks, begun)) assert.ok(lookingVerbs.includes(call.split(' ')[0]!), call);
  assert.deepEqual(stepsOf(await keeper.plan!(signal)), stepsOf(plan), 'a plan made again is the same');
  const calls = callsOf(lab);
  const told = await keeper.run(signal);
  return { plan, before, after: await takePicture(lab), calls: without(callsOf(lab), calls), told };
}

function without(all: readonly string[], known: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const one of known) left.set(one, (left.get(one) ?? 0) + 1);
  return all.filter((one) => {
    const times = left.get(one) ?? 0;
    if (times > 0) left.set(one, times - 1);
    return times === 0;
  });
}

/** Steps as `action subject`, sorted. */
export function stepsOf({ steps }: KeeperPlan, short: (subject: string) => string = (subject) => subject): string[] {
  return steps.map(({ action, subject }) => `${action} ${short(subject)}`).toSorted();
}

/** Which part of which content a copy is of, and where it stands. */
export const copyId = (row: Row) => `${row['content_id']}/${row['part']} on ${row['backend']}`;

/** Copies that came and went, in the words of a plan. */
export function copiesMoved({ before, after }: CarriedOut): string[] {
  const made = rowsOnlyIn(after, before, 'copies', copyId).map((row) => `copy ${copyId(row)}`);
  const gone = rowsOnlyIn(before, after, 'copies', copyId).map((row) => `drop ${copyId(row)}`);
  return [...made, ...gone].sort();
}

/** `CONTENT/PART on BACKEND` of a step, whose copy ends up there or is there. */
export function shortCopy(subject: string): string {
  const [, part, content, to, on] = /part (\d+) of (\S+?),? (?:from \S+ to (\S+)|on (\S+))/.exec(subject)!;
  return `${content}/${part} on ${to ?? on!.replace(',', '')}`;
}
