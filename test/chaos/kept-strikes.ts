import { cancelRewrite, startRewrite } from '../../src/objects/ledger/rewrites.ts';
import { setBackendState } from '../../src/objects/backends/management/drain.ts';
import type { FaultEffect, FaultVerb } from '../../src/objects/backends/memory/faults.ts';
import { toErrorData } from '../../src/kernel/errors/errors.ts';
import { rewriteActions } from '../../src/objects/rewriting/plan.ts';
import { beginMigration } from '../../src/objects/storage-migration/begin.ts';
import { cancelMigration } from '../../src/objects/storage-migration/end.ts';
import { usedBytes } from '../objects/acts.ts';
import { damage } from './kept-damage.ts';
import { type KeeperName, type KeptWorld, baseQuotaBytes, keptBuckets, setQuota } from './kept-world.ts';

const actor = 'chaos';
const unpluggedMax = 1;
const drainingMax = 1;
const hourMs = 3_600_000;

const verbs: readonly FaultVerb[] = ['put', 'get', 'head', 'delete', 'list', 'copy', 'health'];

/** Something that befalls the world. Gives what it did in words, `null` when it could not be done now. */
type Strike = (world: KeptWorld) => Promise<string | null>;

const strikes = {
  damage: (world) => damage(world, world.random),

  unplug: async ({ random, backends }) => {
    if (backends.filter(({ backend }) => backend.faults.length > 0).length >= unpluggedMax) return null;
    const { name, backend } = random.pick(backends);
    const effect = random.pick<FaultEffect>(['unreachable', 'unreachable', 'fail', 'lost_answer', 'overloaded']);
    const hit = random.isChance(0.7) ? verbs : [random.pick(verbs)];
    const times = random.isChance(0.6) ? Number.POSITIVE_INFINITY : 1 + random.below(20);
    for (const verb of hit) backend.faults.push({ verb, times, effect });
    return `${name} is unplugged: ${effect} of ${hit.join(', ')}, ${times} times`;
  },

  plug: async ({ random, backends }) => {
    const { name, backend } = random.pick(backends);
    if (backend.faults.length === 0) return null;
    backend.faults.length = 0;
    return `${name} is plugged in`;
  },

  fill: async ({ random, backends }) => {
    const { name, backend } = random.pick(backends);
    backend.faults.push({ verb: 'put', times: 1 + random.below(30), effect: 'full' });
    return `${name} is full`;
  },

  /** Quotas are changed while nobody writes, since what was admitted before may be more. */
  limit: async (world) => {
    const { name } = world.random.pick(world.backends);
    const quotaBytes = (await usedBytes(world.gateways[0]!.lab.store, name)) + world.random.below(50_000);
    await setQuota(world, name, quotaBytes);
    return `${name} may hold ${quotaBytes} bytes`;
  },

  widen: async (world) => {
    const { name } = world.random.pick(world.backends);
    await setQuota(world, name, baseQuotaBytes);
    return `${name} may hold more`;
  },

  drain: async (world) => {
    const states = await readStates(world);
    if (states.filter(({ state }) => state !== 'active').length >= drainingMax) return null;
    return setState(world, world.random.pick(world.backends).name, 'draining');
  },

  undrain: async (world) => {
    const draining = (await readStates(world)).filter(({ state }) => state === 'draining');
    return draining.length === 0 ? null : setState(world, world.random.pick(draining).name, 'active');
  },

  migrate: async (world) => {
    const { random, gateways, backends } = world;
    const { lab } = gateways[0]!;
    const [source, target] = [random.pick(backends).name, random.pick(backends).name];
    if (source === target || (await readStates(world)).some(({ state }) => state !== 'active')) return null;
    const id = `mig-${lab.clock.nowMs()}-${random.below(1e9)}`;
    const isReadBack = random.isChance(0.5);
    const wish = { id, source, target, parallel: 4, isReadBack, actor, nowMs: lab.clock.nowMs() };
    return change(`${source} is migrated to ${target}`, () => lab.store.write(beginMigration, wish));
  },

  cancelMigration: async ({ gateways }) => {
    const { lab } = gateways[0]!;
    return change('the migration is cancelled', () =>
      lab.store.write(cancelMigration, { actor, nowMs: lab.clock.nowMs() }),
    );
  },

  rotate: async ({ random, gateways }) => {
    const keyring = random.pick(gateways).lab.keyring!;
    return change('keys are rotated', () => keyring.rotate(actor));
  },

  rewrite: async ({ random, gateways }) => {
    const { lab } = gateways[0]!;
    const action = random.pick(rewriteActions);
    const bucket = random.isChance(0.7) ? random.pick(keptBuckets).name : null;
    const id = `rw-${lab.clock.nowMs()}-${random.below(1e9)}`;
    const wish = { id, action, bucket, actor, created_at: lab.clock.nowMs() };
    return change(`${action} of ${bucket ?? 'all'}`, () => lab.store.write(startRewrite, wish));
  },

  cancelRewrite: async ({ gateways }) => {
    const { lab } = gateways[0]!;
    return (await lab.store.write(cancelRewrite, { nowMs: lab.clock.nowMs() })) ? 'the rewrite is cancelled' : null;
  },

  copies: async ({ random, gateways }) => {
    const { name } = random.pick(keptBuckets);
    const copies = 1 + random.below(3);
    const { buckets } = random.pick(gateways).lab.gateway;
    return change(`${name} wants ${copies} copies`, () =>
      buckets.update(name, (settings) => ({ ...settings, copies }), actor),
    );
  },

  pause: async ({ random, gateways, paused }) => {
    const name = random.pick(Object.keys(gateways[0]!.keepers) as KeeperName[]);
    paused.add(name);
    return `${name} is paused`;
  },

  resume: async ({ paused }) => {
    if (paused.size === 0) return null;
    paused.clear();
    return 'keepers go on';
  },

  /** Waits, second looks and rules come due. */
  pass: async ({ random, gateways }) => {
    const hours = 1 + random.below(40);
    gateways[0]!.lab.clock.advance(hours * hourMs);
    return `${hours} hours pass`;
  },
} satisfies Record<string, Strike>;

const weights: Readonly<Record<keyof typeof strikes, number>> = {
  damage: 12,
  unplug: 8,
  plug: 6,
  fill: 5,
  limit: 3,
  widen: 3,
  drain: 4,
  undrain: 4,
  migrate: 4,
  cancelMigration: 1,
  rotate: 3,
  rewrite: 6,
  cancelRewrite: 1,
  copies: 5,
  pause: 3,
  resume: 3,
  pass: 4,
};

/** Has something befall the world, while nobody works. */
export async function strike(world: KeptWorld): Promise<void> {
  const name = world.random.weighted(weights);
  const done = await strikes[name](world);
  if (done !== null) {
    world.tell(done);
    world.count(`strike: ${name}`);
  }
  for (const { lab } of world.gateways) await lab.registry.refresh();
}

/** All backends work, take writes and have room, and nobody is paused. */
export async function heal(world: KeptWorld): Promise<void> {
  world.paused.clear();
  for (const { name, backend } of world.backends) {
    backend.faults.length = 0;
    await setQuota(world, name, baseQuotaBytes);
  }
  await undrainAll(world);
}

/** What a migration leaves behind drains until it has ended. */
export async function undrainAll(world: KeptWorld): Promise<void> {
  const { lab } = world.gateways[0]!;
  const statement = 'select 1 from storage_migrations where is_open = 1';
  const open = await lab.store.read((reader) => reader.rows(statement, []));
  if (open.length === 0) {
    for (const { name, state } of await readStates(world)) {
      if (state === 'draining') await setState(world, name, 'active');
    }
  }
  for (const one of world.gateways) await one.lab.registry.refresh();
}

function setState({ gateways }: KeptWorld, name: string, state: 'active' | 'draining'): Promise<string> {
  const { lab } = gateways[0]!;
  const doing = { actor, nowMs: lab.clock.nowMs() };
  return change(`${name} is ${state}`, () => lab.store.write(setBackendState, { name, state, doing }));
}

async function readStates({ gateways }: KeptWorld): Promise<{ name: string; state: string }[]> {
  const statement = 'select name, state from object_backends order by name';
  return gateways[0]!.lab.store.read((reader) => reader.rows<{ name: string; state: string }>(statement, []));
}

/** What an operator asks for, who may be refused. */
async function change(sentence: string, work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return sentence;
  } catch (error) {
    const { kind, message } = toErrorData(error);
    if (kind === 'internal' || kind === 'invalid') throw error;
    return `${sentence}: refused (${message})`;
  }
}
