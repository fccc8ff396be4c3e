import { HoldfastError } from '../../src/kernel/errors/errors.ts';
import { usedBytes } from '../objects/acts.ts';
import { type Disturbed, type Manner, disturb } from '../objects/disturbance.ts';
import type { KeptClient } from './kept-client.ts';
import { strike } from './kept-strikes.ts';
import { type KeeperName, type KeptGateway, type KeptWorld, gatewayOf, renewLeases } from './kept-world.ts';

const requestsEach = 6;
const strikesMax = 3;
const stepsMax = 120;

/** Things befall the world; then clients and keepers work, one gateway may die in the middle, and what came late arrives. */
export async function round(world: KeptWorld, clients: readonly KeptClient[]): Promise<void> {
  const { random, gateways } = world;
  await renewLeases(world);
  for (let count = 1 + random.below(strikesMax); count > 0; count--) await strike(world);
  const victim = random.isChance(0.5) ? random.below(gateways.length) : null;
  const disturbed = victim === null ? null : beginKill(world, gateways[victim]!);
  const pausing = new AbortController();
  const keeping = keep(world, pausing);
  await Promise.all(clients.map((client) => client.run(requestsEach)));
  await keeping;
  if (victim !== null && disturbed !== null) await endKill(world, victim, disturbed);
  await rest(world);
  for (const { name } of world.backends) {
    const [used, quota] = [await usedBytes(gateways[0]!.lab.store, name), world.quotas.get(name)!];
    if (used > quota) world.faults.push(`${name} holds ${used} bytes, and may hold ${quota}`);
  }
}

/** Waits until nothing is under way. */
export async function rest({ gateways }: KeptWorld): Promise<void> {
  for (const { lab } of gateways) {
    await lab.gateway.writer.settle();
    await lab.gateway.badCopies.settle();
    await Promise.allSettled(lab.calls.underWay);
    // As every gateway does all the time.
    await lab.gateway.writer.leftovers.giveUp();
  }
}

interface Kill extends Disturbed {
  readonly isFatal: boolean;
}

function beginKill({ random, tell }: KeptWorld, { lab }: KeptGateway): Kill {
  const manner = random.pick<Manner>(['before', 'after', 'during']);
  const isFatal = random.isChance(0.75);
  const step = 1 + random.below(stepsMax);
  tell(`${lab.replicaId} ${isFatal ? 'dies' : 'gets no answer'} ${manner} step ${step}`);
  return { ...disturb(lab, { step, manner, isFatal }), isFatal };
}

/** The next process takes the place of the one that died; then the last bytes of that one arrive. */
async function endKill(world: KeptWorld, index: number, { where, silence, isFatal }: Kill): Promise<void> {
  const { lab } = world.gateways[index]!;
  await silence();
  if (where() === null) return;
  world.count(isFatal ? 'strike: kill' : 'strike: lost answer');
  if (isFatal) world.gateways[index] = gatewayOf(await lab.restart());
  for (const late of lab.calls.lingering.splice(0)) await late().catch(() => {});
}

/** Runs some keepers, each on any gateway, and some of them on both at once; now and then they are stopped in the middle. */
async function keep(world: KeptWorld, pausing: AbortController): Promise<void> {
  const { random, gateways, paused } = world;
  const isStopped = random.isChance(0.2);
  const runs: Promise<KeeperEnd>[] = [];
  for (const [index, { keepers }] of gateways.entries()) {
    const names = (Object.keys(keepers) as KeeperName[]).filter((name) => !paused.has(name) && random.isChance(0.4));
    runs.push(...names.map((name) => runKeeper(world, index, name, pausing.signal)));
  }
  if (isStopped) {
    setImmediate(() => pausing.abort());
    world.tell('keepers are stopped in the middle');
  }
  await Promise.all(runs);
}

interface KeeperEnd {
  readonly said: string;
  readonly isDone: boolean;
}

/** What a keeper cannot do now it does later; but it never fails in a way that nobody thought of. */
export async function runKeeper(
  world: KeptWorld,
  index: number,
  name: KeeperName,
  signal: AbortSignal,
): Promise<KeeperEnd> {
  try {
    const said = await world.gateways[index]!.keepers[name].run(signal);
    world.count(`${name}: done`);
    return { said, isDone: true };
  } catch (error) {
    world.count(`${name}: failed`);
    const isExpected = signal.aborted || (error instanceof HoldfastError && error.kind !== 'internal');
    if (!isExpected) world.faults.push(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    return { said: String(error), isDone: false };
  }
}
